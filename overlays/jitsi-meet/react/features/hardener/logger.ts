/*
 * Puts itself before every transport of @jitsi/logger: whatever is logged reaches the console, a saved log or an embedding page
 * without secrets. The same file is in lib-jitsi-meet (modules/hardener/logger.ts): each component has the package once.
 */

// @ts-ignore: the package has no types.
import Logger from '@jitsi/logger';

import { redactedAll } from './redact';

const { addGlobalTransport, removeGlobalTransport } = Logger;
const LEVELS: string[] = Object.values(Logger.levels);
const wrappers = new Map<any, any>();

/**
 * Returns a transport that hands texts without secrets to another one.
 *
 * @param {Object} transport - The other one.
 * @returns {Object}
 */
function redacting(transport: any) {
    if (!wrappers.has(transport)) {
        wrappers.set(transport, Object.fromEntries(LEVELS
            .filter(level => typeof transport[level] === 'function')
            .map(level => [ level, (...args: any[]) => transport[level](...redactedAll(args)) ])));
    }

    return wrappers.get(transport);
}

removeGlobalTransport(console);
addGlobalTransport(redacting(console));
Logger.addGlobalTransport = (transport: any) => addGlobalTransport(redacting(transport));
Logger.removeGlobalTransport = (transport: any) => removeGlobalTransport(redacting(transport));
