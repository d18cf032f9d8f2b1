/*
 * hardener: upstream's constants without addresses of Google's and Jitsi's: an operator who offers live streaming names the
 * pages in config.js (liveStreaming.termsLink, dataPrivacyLink, helpLink).
 */

export const GOOGLE_PRIVACY_POLICY = '';
export const YOUTUBE_LIVE_DASHBOARD_URL = '';
export const YOUTUBE_TERMS_URL = '';
export const JITSI_LIVE_STREAMING_HELP_LINK = '';

/**
 *  The YouTube stream link RegExp.
 */
export const FOUR_GROUPS_DASH_SEPARATED = /^(?:[a-zA-Z0-9]{4}(?:-(?!$)|$)){4}/;
