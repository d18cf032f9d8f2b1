/*
 * Checks the types of JSON messages where they enter the client: polls, breakout rooms, shared files and others. Components
 * of the server forward parts of them as a participant has written them, and the page shows their texts. A value of a wrong
 * type would make rendering throw, and the page would stay empty. Called by the messages-have-types patches.
 */

import { getLogger } from '@jitsi/logger';

import { Rule, dictionary, flag, list, number, record, where } from './shape';

const logger = getLogger('hardener:messages');

/** The largest length of a text. Longer ones are cut. */
const LONGEST = 1024;

/** The latest time that a date can have, in milliseconds. */
const LATEST = 8.64e15;

const ANY_NAME = /^/;

/**
 * Changes names of participants that are also names of a property of each object (`constructor`, `__proto__`). Such a name
 * gets a character in front that servers take away from an address (U+200B, RFC 3454, table B.1): what is sent back
 * reaches the participant.
 *
 * @param {string} name - A participant's name in the room.
 * @returns {string}
 */
const renamed = (name: string) => name in {} ? `\u200B${name}` : name;

/**
 * Changes the name in an address in the same way.
 *
 * @param {string} jid - The address.
 * @returns {string}
 */
export const unlikeProperty = (jid: string): string => {
    const slash = jid.indexOf('/');

    return slash < 0 ? jid : jid.slice(0, slash + 1) + renamed(jid.slice(slash + 1));
};

/** Accepts a text, and cuts a long one. */
const shown: Rule = value => typeof value === 'string' ? value.slice(0, LONGEST) : undefined;

/** Accepts a participant's name in the room. */
const person: Rule = value => typeof value === 'string' && value.length <= LONGEST ? renamed(value) : undefined;

/** Accepts the name of a thing. The client keeps things in objects under their names. */
const id = where(value => typeof value === 'string' && value.length <= LONGEST && value !== '' && !(value in {}));

/** Accepts the name of a file, which becomes a part of an address. */
const fileId = where(value => typeof value === 'string' && /^[\w-]{1,128}$/.test(value));

/** Accepts a time, in milliseconds since 1970. */
const time = where(value => Number.isFinite(value) && Math.abs(value) <= LATEST);

/** Accepts texts, numbers and booleans. */
const plain: Rule = value => shown(value) ?? number(value) ?? flag(value);

/** Accepts a number, or an object of them. */
const numbers: Rule = value => number(value) ?? dictionary(ANY_NAME, item => number(item)
    ?? dictionary(ANY_NAME, number)(item))(value);

/** Accepts each choice of a vote. */
const choices: Rule = value => Array.isArray(value) ? value.map(Boolean) : undefined;

/**
 * Accepts an object with all needed keys.
 *
 * @param {Object} rules - The rule of each known key.
 * @param {Array<string>} needed - The keys that it must have.
 * @returns {Function} The rule.
 */
const complete = (rules: Record<string, Rule>, ...needed: string[]): Rule => value => {
    const kept = record(rules)(value) as Record<string, unknown> | undefined;

    return kept && needed.every(key => kept[key] !== undefined) ? kept : undefined;
};

/**
 * Accepts a list of which all items fit: those of a poll are known by their position.
 *
 * @param {Function} rule - The rule of an item.
 * @returns {Function} The rule.
 */
const whole = (rule: Rule): Rule => value => {
    const kept = list(rule)(value) as unknown[] | undefined;

    return kept?.length === (value as unknown[])?.length ? kept : undefined;
};

/**
 * Keeps the items of an object that fit, under names that no object has.
 *
 * @param {Function} rename - Returns the name to keep an item under.
 * @param {Function} rule - The rule of an item.
 * @returns {Function} The rule.
 */
const named = (rename: (name: string) => string, rule: Rule): Rule => value => {
    const kept = dictionary(ANY_NAME, rule)(value);

    return kept && Object.fromEntries(Object.entries(kept as object)
        .map(([ name, item ]) => [ rename(name), item ])
        .filter(([ name ]) => !(name in {})));
};

const same = (name: string) => name;

const file = complete({
    authorParticipantId: person,
    authorParticipantJid: shown,
    authorParticipantName: shown,
    conferenceFullName: shown,
    fileId,
    fileName: shown,
    fileSize: number,
    fileType: shown,
    timestamp: time
}, 'fileId', 'fileName', 'fileSize', 'timestamp');

/**
 * Accepts a poll.
 *
 * @param {Object} option - The rules of an option.
 * @returns {Function} The rule.
 */
const poll = (option: Record<string, Rule>) => complete({
    answers: whole(complete({ name: shown, ...option }, 'name')),
    command: shown,
    pollId: id,
    question: shown,
    senderId: person,
    senderName: shown,
    type: shown
}, 'pollId', 'question', 'answers');

const room = complete({
    id,
    isMainRoom: flag,
    jid: shown,
    name: shown,
    participants: named(unlikeProperty, complete({
        displayName: shown,
        jid: shown,
        role: shown,
        userContext: record({ id: shown, name: shown })
    }, 'jid'))
}, 'id', 'jid');

/** Messages of which all values are plain, and are shown. */
const flat = dictionary(ANY_NAME, plain);

/** The rules by the type of a message and, where one type has several messages, by their event or command. */
const RULES = new Map<string, Rule>([
    [ 'av_moderation', record({
        actor: shown,
        approved: flag,
        enabled: flag,
        mediaType: shown,
        removed: flag,
        room: shown,
        type: shown,
        whitelists: record({ audio: list(shown), desktop: list(shown), video: list(shown) })
    }) ],
    [ 'breakout_rooms features/breakout-rooms/move-to-room',
        complete({ event: shown, roomJid: shown, type: shown }, 'roomJid') ],
    [ 'breakout_rooms features/breakout-rooms/update',
        complete({ event: shown, roomCounter: number, rooms: named(same, room), type: shown }, 'rooms') ],
    [ 'file-sharing add', complete({ event: shown, file, type: shown }, 'file') ],
    [ 'file-sharing list', complete({ event: shown, files: named(same, file), type: shown }, 'files') ],
    [ 'file-sharing remove', complete({ event: shown, fileId, type: shown }, 'fileId') ],
    [ 'LOBBY_CHAT_MESSAGE', flat ],
    [ 'lobby-notify', flat ],

    // The author of a poll sends this message; the votes are for the server to count.
    [ 'polls new-poll', poll({}) ],
    [ 'polls old-polls', record({
        command: shown,
        polls: list(poll({ voters: list(complete({ id: person, name: shown }, 'id')) })),
        type: shown
    }) ],
    [ 'polls answer-poll', complete({
        answers: choices,
        command: shown,
        pollId: id,
        senderId: person,
        senderName: shown,
        type: shown
    }, 'pollId', 'senderId', 'answers') ],
    [ 'room_metadata', complete({ metadata: dictionary(ANY_NAME, item => item), type: shown }, 'metadata') ],
    [ 'speakerstats', record({
        type: shown,
        users: named(renamed, record({
            displayName: shown,
            faceLandmarks: list(flat),
            totalDominantSpeakerTime: number
        }))
    }) ],
    [ 'system_chat_message', flat ],
    [ 'visitors', flat ]
]);

/**
 * Returns the copy of a message that the client may read.
 *
 * @param {any} message - What has been parsed.
 * @returns {Object|undefined} The message without values of a wrong type, or undefined where an essential one is missing.
 */
export function readMessage(message: any): any {
    const type = message?.type;
    const rule = RULES.get(`${plain(type)}`) ?? RULES.get(`${plain(type)} ${plain(message?.event ?? message?.command)}`);
    const read = rule ? rule(message) : dictionary(ANY_NAME, item => item)(message);

    read === undefined && logger.warn(`Ignored a message with values of a wrong type: ${plain(type)}`);

    return read;
}

/**
 * Returns what a participant says about its connection, without values of a wrong type.
 *
 * @param {any} stats - What has been received.
 * @returns {Object}
 */
export function readStats(stats: any): any {
    return record({
        bitrate: numbers,
        connectionQuality: number,
        jvbRTT: number,
        maxEnabledResolution: number,
        packetLoss: numbers,
        serverRegion: shown
    })(stats) ?? {};
}
