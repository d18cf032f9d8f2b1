/*
 * hardener: no Google. Upstream loads scripts of Google's into the page for calendar and live streaming.
 */

/**
 * Says that there is no Google API.
 *
 * @returns {Promise} Rejects always.
 */
const unavailable = () => Promise.reject(new Error('The Google API is not part of this build.'));

export default {
    get: unavailable,
    getCurrentUserProfile: unavailable,
    initializeClient: unavailable,
    isSignedIn: () => Promise.resolve(false),
    load: unavailable,
    requestAvailableYouTubeBroadcasts: unavailable,
    requestLiveStreamsForYouTubeBroadcast: unavailable,
    showAccountSelection: unavailable,
    signInIfNotSignedIn: unavailable,
    signOut: unavailable,
    _getGoogleApiClient: () => undefined,
    _getCalendarEntries: unavailable,
    _updateCalendarEntry: unavailable
};
