import { IStore } from '../app/types';
import { IStateful } from '../base/app/types';

export * from './functions.any';

/*
 * hardener: no calendars of Google's and Microsoft's: reading them needs their scripts and sign-in pages.
 */

/**
 * The calendar is never enabled.
 *
 * @param {Function|Object} _stateful - The redux store or {@code getState} function.
 * @returns {boolean}
 */
export function isCalendarEnabled(_stateful: IStateful) {
    return false;
}

/**
 * There are no entries.
 *
 * @param {Object} _store - The redux store.
 * @param {boolean} _maybePromptForPermission - As in upstream's.
 * @param {boolean|undefined} _forcePermission - As in upstream's.
 * @private
 * @returns {void}
 */
export function _fetchCalendarEntries(_store: IStore, _maybePromptForPermission: boolean, _forcePermission?: boolean) {
    // Nothing to fetch.
}

/**
 * There is no implementation of any type.
 *
 * @param {string} _calendarType - The calendar type API as defined in the constant {@link CALENDAR_TYPE}.
 * @private
 * @returns {undefined}
 */
export function _getCalendarIntegration(_calendarType: string): any {
    return undefined;
}
