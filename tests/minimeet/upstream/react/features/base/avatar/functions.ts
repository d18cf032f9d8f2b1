export interface IParticipant {
    avatarURL?: string;
    nick: string;
}

const AVATAR_SERVICE = 'https://avatars.example/avatar/';

/** A number that stands for a name (FNV-1a). */
function getHash(text: string): number {
    let hash = 0x811c9dc5;

    for (let i = 0; i < text.length; i++) {
        hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    }

    return hash >>> 0;
}

/** The address of a participant's picture: the one that came with the presence, or one made for the name. */
export function getAvatarURL({ avatarURL, nick }: IParticipant): string | undefined {
    return avatarURL || `${AVATAR_SERVICE}${getHash(nick).toString(16)}`;
}

/** What is drawn where there is no picture. */
export function getInitials({ nick }: IParticipant): { color: string; text: string; } {
    const text = nick.split(/[\s._-]+/, 2).map(part => part.charAt(0)).join('');

    return {
        color: `hsl(${getHash(nick) % 360}, 45%, 35%)`,
        text: text.toUpperCase()
    };
}
