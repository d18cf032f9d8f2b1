import { cloneDeep, mergeWith, pick } from 'lodash-es';

/**
 * Overrides below the surface: what the override does not name stays as it is. Arrays are replaced as a whole, as where
 * upstream reads overrides from the address.
 *
 * @param {Object} current - The configuration.
 * @param {Object} overrides - What is to change.
 * @returns {Object} The changed top level keys, complete.
 */
export function deepOverride(current: Object, overrides: Object): Object {
    return mergeWith(cloneDeep(pick(current, Object.keys(overrides))), overrides,
        (_old: unknown, value: unknown) => Array.isArray(value) ? value : undefined);
}
