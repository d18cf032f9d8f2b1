/* eslint-disable no-unused-vars, no-var, max-len */
/* eslint sort-keys: ["error", "asc", {"caseSensitive": false}] */

/*
 * Hardened interface configuration / Gehärtete Konfiguration der Oberfläche.
 *
 * EN: This file takes the place of upstream's. What has no comment is as there.
 * DE: Diese Datei ersetzt die interface_config.js von Upstream. Was keinen Kommentar hat, ist wie dort.
 */
var interfaceConfig = {
    APP_NAME: 'Jitsi Meet',
    AUDIO_LEVEL_PRIMARY_COLOR: 'rgba(255,255,255,0.4)',
    AUDIO_LEVEL_SECONDARY_COLOR: 'rgba(255,255,255,0.2)',
    AUTO_PIN_LATEST_SCREEN_SHARE: 'remote-only',
    BRAND_WATERMARK_LINK: '',
    CLOSE_PAGE_GUEST_HINT: false,
    DEFAULT_BACKGROUND: '#040404',
    DEFAULT_WELCOME_PAGE_LOGO_URL: 'images/watermark.svg',
    DISABLE_DOMINANT_SPEAKER_INDICATOR: false,
    DISABLE_JOIN_LEAVE_NOTIFICATIONS: false,
    DISABLE_PRESENCE_STATUS: false,
    DISABLE_TRANSCRIPTION_SUBTITLES: false,
    DISABLE_VIDEO_BACKGROUND: false,

    // EN: Upstream: true. The footer is a link to the app from F-Droid (upstream: to stores as well).
    // DE: Upstream: true. Die Fußzeile ist ein Link zur App aus F-Droid (bei Upstream auch zu Stores).
    DISPLAY_WELCOME_FOOTER: false,
    DISPLAY_WELCOME_PAGE_ADDITIONAL_CARD: false,
    DISPLAY_WELCOME_PAGE_CONTENT: false,
    DISPLAY_WELCOME_PAGE_TOOLBAR_ADDITIONAL_CONTENT: false,
    ENABLE_DIAL_OUT: true,
    FILM_STRIP_MAX_HEIGHT: 120,
    GENERATE_ROOMNAMES_ON_WELCOME_PAGE: true,
    HIDE_INVITE_MORE_HEADER: false,

    // EN: Upstream: jitsi.org. The picture links nowhere.
    // DE: Upstream: jitsi.org. Das Bild verweist nirgendwohin.
    JITSI_WATERMARK_LINK: '',
    LANG_DETECTION: true,
    LOCAL_THUMBNAIL_RATIO: 16 / 9,
    MAXIMUM_ZOOMING_COEFFICIENT: 1.3,

    MOBILE_APP_PROMO: true,
    OPTIMAL_BROWSERS: [ 'chrome', 'chromium', 'firefox', 'electron', 'safari', 'webkit' ],
    POLICY_LOGO: null,
    PROVIDER_NAME: 'Jitsi',

    // EN: Upstream: true. Rooms are not remembered.
    // DE: Upstream: true. Besuchte Räume werden nicht gespeichert.
    RECENT_LIST_ENABLED: false,
    REMOTE_THUMBNAIL_RATIO: 1,

    // EN: Upstream: also 'calendar' (Google, Microsoft), which is not in this build.
    // DE: Upstream: auch 'calendar' (Google, Microsoft), der in diesem Build fehlt.
    SETTINGS_SECTIONS: [ 'devices', 'language', 'moderator', 'profile', 'shortcuts', 'sounds', 'more' ],
    SHOW_BRAND_WATERMARK: false,
    SHOW_CHROME_EXTENSION_BANNER: false,
    SHOW_JITSI_WATERMARK: true,
    SHOW_POWERED_BY: false,
    SHOW_PROMOTIONAL_CLOSE_PAGE: false,

    // EN: Upstream: a forum of Jitsi's. Name your own help desk.
    // DE: Upstream: ein Forum von Jitsi. Die eigene Hilfe nennen.
    SUPPORT_URL: '',
    UNSUPPORTED_BROWSERS: [],
    VERTICAL_FILMSTRIP: true,
    VIDEO_LAYOUT_FIT: 'both',
    VIDEO_QUALITY_LABEL_DISABLED: false,

    makeJsonParserHappy: 'even if last key had a trailing comma'
};
