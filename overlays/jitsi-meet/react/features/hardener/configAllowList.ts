/*
 * hardener: the one list of configuration keys that a link, an embedding page or dynamic branding may set. Upstream lists
 * what is allowed, too, but some two hundred keys, among them those that switch third parties back on and protection off.
 * Here is only what changes the look, or makes a participant quieter; everything else is the operator's to decide, in
 * config.js. To add a key: it must not load, send, store, show or hide anything that matters to privacy or safety, and the
 * rule beside it must refuse every value that could. The author of a link must not be able to hide who comes in or that the
 * camera is on, nor to give a name to others or a headline to the meeting. Values are never objects: the IFrame API's
 * overwriteConfig replaces an object as a whole, and with it what the operator has configured beside the key.
 * tests/e2e/test_overrides.py tries all of upstream's keys against this list.
 */

type Rule = (value: unknown) => boolean;

/** Accepts a switch that is on: what the operator has switched on stays on. */
const on: Rule = value => value === true;

/** Accepts a switch. */
const flag: Rule = value => typeof value === 'boolean';

/** Accepts a number that an interface can be drawn with. */
const size: Rule = value => typeof value === 'number' && value > 0 && value < 10000;

/** Accepts a short text, which is shown as text. */
const text: Rule = value => typeof value === 'string' && value.length <= 120;

/**
 * One of some words.
 *
 * @param {string[]} words - The words.
 * @returns {Function} The rule.
 */
const oneOf = (...words: string[]): Rule => value => words.includes(value as string);

const CONFIG: Record<string, Rule> = {
    defaultLocalDisplayName: text,
    disable1On1Mode: flag,
    disableChatSmileys: on,
    disableFilmstripAutohiding: flag,
    disableIncomingMessageSound: on,
    disableLocalVideoFlip: flag,
    disableReactions: on,
    disableReactionsInChat: on,
    disableResponsiveTiles: flag,
    disableShortcuts: on,
    disableTileEnlargement: flag,
    disableTileView: flag,
    doNotFlipLocalVideo: flag,
    hideConferenceSubject: on,
    hideConferenceTimer: on,
    hideDominantSpeakerBadge: on,
    hideEmailInSettings: on,
    startAudioOnly: on,
    startSilent: on,
    startWithAudioMuted: on,
    startWithVideoMuted: on
};

const INTERFACE_CONFIG: Record<string, Rule> = {
    DISABLE_DOMINANT_SPEAKER_INDICATOR: on,
    DISABLE_FOCUS_INDICATOR: on,
    DISABLE_VIDEO_BACKGROUND: on,
    FILM_STRIP_MAX_HEIGHT: size,
    LOCAL_THUMBNAIL_RATIO: size,
    MAXIMUM_ZOOMING_COEFFICIENT: size,
    REMOTE_THUMBNAIL_RATIO: size,
    TILE_VIEW_MAX_COLUMNS: size,
    VERTICAL_FILMSTRIP: flag,
    VIDEO_LAYOUT_FIT: oneOf('both', 'height', 'nocrop', 'width'),
    VIDEO_QUALITY_LABEL_DISABLED: on
};

const LISTS = {
    config: CONFIG,
    interfaceConfig: INTERFACE_CONFIG
};

/**
 * Returns what is left of overrides: the keys on the list that have an acceptable value.
 *
 * @param {string} name - Which configuration they are for.
 * @param {Object} overrides - What a link, an embedding page or dynamic branding wants to set.
 * @returns {Object} The part that may be set.
 */
export function allowedOverrides(name: keyof typeof LISTS, overrides: any): Record<string, any> {
    const given = Object(overrides);

    return Object.fromEntries(Object.entries(LISTS[name])
        .filter(([ key, accepts ]) => Object.hasOwnProperty.call(given, key) && accepts(given[key]))
        .map(([ key ]) => [ key, given[key] ]));
}

/**
 * Returns whether a link may give a value for a key of config.js at all.
 *
 * @param {string} key - The key.
 * @returns {boolean}
 */
export function isOverridable(key: string): boolean {
    return Object.hasOwnProperty.call(CONFIG, key);
}

/**
 * Returns the value that a link gives for one key of config.js.
 *
 * @param {string} key - The key.
 * @param {any} value - The value in the link.
 * @returns {any} The value, or undefined where it may not be set.
 */
export function allowedOverride(key: string, value: any): any {
    return allowedOverrides('config', { [key]: value })[key];
}
