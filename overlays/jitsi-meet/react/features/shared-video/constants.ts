/*
 * hardener: upstream's constants, without YouTube as a domain that needs no question.
 */

export const VIDEO_PLAYER_PARTICIPANT_NAME = 'Video';
export const YOUTUBE_PLAYER_PARTICIPANT_NAME = 'YouTube';
export const SHARED_VIDEO = 'shared-video';

export const PLAYBACK_STATUSES = {
    PLAYING: 'playing',
    PAUSED: 'pause',
    STOPPED: 'stop'
};

export const PLAYBACK_START = 'start';

export const YOUTUBE_URL_DOMAIN = '';
export const ALLOW_ALL_URL_DOMAINS = '*';
export const DEFAULT_ALLOWED_URL_DOMAINS: string[] = [];
