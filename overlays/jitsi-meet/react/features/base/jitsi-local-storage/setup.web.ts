import { jitsiLocalStorage } from '@jitsi/js-utils/jitsi-local-storage';

import { takeRecorderAccount } from '../../personal-login/recorder';

/*
 * hardener: what the client remembers is in memory, and gone with the page. Upstream keeps names, e-mail addresses, rooms,
 * devices, pictures and ids of a person in the browser's storage; it also takes them from a link or an embedding page, and
 * gives them to one. Not touched here: a chosen language, which i18next stores by itself (`chosenLanguage`).
 */

/** What upstream's client, or a version without this file, has left behind. */
const LEFT_BEHIND = [
    '__AMDID',
    'billingId',
    'callStatsUserName',
    'displayname',
    'email',
    'hide_chrome_extension_banner',
    'jitsiLocalStorage',
    'jitsiMeetId',
    'language',
    'sessionId',
    'virtualBackgrounds',
    'xmpp_conference_password_override',
    'xmpp_password_override',
    'xmpp_username_override'
];

/**
 * Removes what earlier visits have left in the browser.
 *
 * @returns {void}
 */
function forgetEarlierVisits() {
    try {
        Object.keys(window.localStorage)
            .filter(key => key.startsWith('features/') || key.startsWith('config.js/') || LEFT_BEHIND.includes(key))
            .forEach(key => window.localStorage.removeItem(key));
    } catch {
        // The browser has no storage for us.
    }
}

takeRecorderAccount();
forgetEarlierVisits();
jitsiLocalStorage.setLocalStorageDisabled(true);
