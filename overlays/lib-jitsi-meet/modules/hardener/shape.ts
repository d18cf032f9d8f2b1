/*
 * Rules for values that come from outside: a token's claims, the answer of a branding service. Upstream believes that they
 * have the right type. A value that breaks its rule is dropped, and what is around it stays.
 */

/** Returns the value, a cleaned copy of it, or undefined where it breaks the rule. */
export type Rule = (value: unknown) => unknown;

/** What no text may hold: control characters, halves of surrogate pairs, and what XML cannot carry. */
const NO_TEXT = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u;

/**
 * Accepts what a test accepts.
 *
 * @param {Function} test - The test.
 * @returns {Function} The rule.
 */
export const where = (test: (value: any) => boolean): Rule => value => test(value) ? value : undefined;

/**
 * Accepts a text that can be shown and sent, and that a test accepts.
 *
 * @param {Function} test - The test.
 * @param {number} limit - The largest length.
 * @returns {Function} The rule.
 */
export const text = (test: (value: string) => boolean = () => true, limit = 1024): Rule => where(
    value => typeof value === 'string' && value.length <= limit && !NO_TEXT.test(value) && test(value));

/** Accepts a boolean. */
export const flag = where(value => typeof value === 'boolean');

/** Accepts a number that is neither infinite nor NaN. */
export const number = where(Number.isFinite);

/**
 * Keeps the items of a list that fit.
 *
 * @param {Function} rule - The rule of an item.
 * @returns {Function} The rule.
 */
export const list = (rule: Rule): Rule => value => Array.isArray(value)
    ? value.map(item => rule(item)).filter(item => item !== undefined)
    : undefined;

/**
 * Returns whether a value is an object with keys.
 *
 * @param {any} value - The value.
 * @returns {boolean}
 */
function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Keeps the keys of an object that fit.
 *
 * @param {RegExp} names - What its keys look like.
 * @param {Function} rule - The rule of a value.
 * @returns {Function} The rule.
 */
export const dictionary = (names: RegExp, rule: Rule): Rule => value => isRecord(value)
    ? Object.fromEntries(Object.entries(value)
        .map(([ key, item ]) => [ key, names.test(key) ? rule(item) : undefined ])
        .filter(([ , item ]) => item !== undefined))
    : undefined;

/**
 * Keeps the known keys of an object, where their values fit.
 *
 * @param {Object} rules - The rule of each known key.
 * @returns {Function} The rule.
 */
export const record = (rules: Record<string, Rule>): Rule => value => isRecord(value)
    ? Object.fromEntries(Object.entries(rules)
        .filter(([ key ]) => Object.prototype.hasOwnProperty.call(value, key))
        .map(([ key, rule ]) => [ key, rule(value[key]) ])
        .filter(([ , item ]) => item !== undefined))
    : undefined;
