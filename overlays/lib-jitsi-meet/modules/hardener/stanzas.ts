/*
 * The entrance for everything that the server delivers: each message, presence and IQ is put into one form before any
 * handler sees it. In a room, the server hands on what other participants have written; only what the server itself has
 * added says who they are. docs/reference.md#stanzas lists what is taken from whom, and every read of the library.
 * Called by stanzas-in-one-form.patch.
 */

import { getLogger } from '@jitsi/logger';

import type XMPP from '../xmpp/xmpp';

import { unlikeProperty } from './messages';
import { isUnreadable, salvage } from './salvage';

const logger = getLogger('hardener:stanzas');

const XMLNS = 'http://www.w3.org/2000/xmlns/';
const XML = 'http://www.w3.org/XML/1998/namespace';
const CLIENT = 'jabber:client';
const MUC_USER = 'http://jabber.org/protocol/muc#user';
const DISCO = 'http://jabber.org/protocol/disco#';
const JINGLE = 'urn:xmpp:jingle:1';
const MUTE = 'http://jitsi.org/jitmeet/';
const VISITORS = 'jitsi:visitors';

/** In the presence of the focus only. */
const OF_FOCUS = new Set([
    'bridgeNotAvailable', 'conference-properties', 'jibri-recording-status', 'jibri-sip-call-state', 'versions'
]);

/** In the presence of the focus, and of recorders and transcribers, which the server knows by their domain. */
const OF_SERVICES = new Set([
    'bot', 'call-control', 'live-stream-view-url', 'mode', 'session_id', 'transcription-status'
]);

/** In no presence of an occupant: what only servers of other kinds send, or what hides an occupant. */
const OF_NOBODY = new Set([ 'ignore', 'x' ]);

/** How deep the known children of a presence go. All others are text and attributes. */
const DEPTH = new Map([
    [ 'conference-properties', 1 ], [ 'features', 1 ], [ 'identity', 2 ], [ 'permissions', 1 ], [ 'versions', 1 ]
]);

/** Elements below this level of a stanza are left out: those of calls go five deep, and no reader has to be able to more. */
const DEEPEST = 32;

/** What the server says in its own element about an occupant or a room, and what may be in it. */
const SERVERS = new Map([
    [ 'destroy', [ 'password', 'reason' ] ],
    [ 'invite', [ 'continue', 'reason' ] ],
    [ 'item', [ 'actor', 'reason' ] ],
    [ 'password', [] ],
    [ 'status', [] ]
]);

/** Elements of RFC 6121 and its extensions that count in their own namespace only. */
const NAMESPACES = new Map([
    [ 'body', CLIENT ], [ 'delay', 'urn:xmpp:delay' ], [ 'error', CLIENT ], [ 'subject', CLIENT ], [ 'thread', CLIENT ]
]);

/** The parts of a room that are needed here; some are private there. */
interface IRoom {
    isFocus: (jid: string) => boolean | null;
    myroomjid: string;
    options: { hiddenDomain?: string; };
}

/** Who has sent a stanza, as the server says. */
interface ISender {

    /** A participant whom the server has announced, or this client itself. */
    isKnown: boolean;
    isFocus: boolean;

    /** Neither a participant nor another account: a room, a component, the server. */
    isService: boolean;
    room?: IRoom;
}

const bare = (jid: string | null) => (jid ?? '').split('/')[0];
const domain = (jid: string | null) => bare(jid).replace(/^[^@]*@/, '');

const child = (parent: Element, name: string, namespace: string): Element | undefined =>
    Array.from(parent.children).filter(element => element.localName === name && element.namespaceURI === namespace)
        .pop();

/**
 * Writes an element again: without prefixes and without attributes of foreign namespaces, so that the namespace that
 * selectors and Strophe see (the attribute) is the one that the parser has seen; text alone beside elements.
 *
 * @param {Element} element - The element.
 * @param {string|null} outer - The namespace around it.
 * @param {number} depth - How many levels of elements below it are copied.
 * @returns {Element} - Its copy.
 */
function copyOf(element: Element, outer: string | null, depth = DEEPEST): Element {
    const { localName, namespaceURI, ownerDocument } = element;
    const copy = ownerDocument.createElementNS(namespaceURI, localName);

    if (namespaceURI !== outer || element.hasAttribute('xmlns')) {
        copy.setAttributeNS(XMLNS, 'xmlns', namespaceURI ?? '');
    }
    for (const { localName: name, namespaceURI: namespace, value } of Array.from(element.attributes)) {
        if (namespace === null) {
            copy.setAttribute(name, value);
        } else if (namespace === XML) {
            copy.setAttributeNS(XML, `xml:${name}`, value);
        }
    }
    for (const node of Array.from(element.childNodes)) {
        if ((node as Element).localName === 'xmlns') {
            continue; // parsers read such an element, but none can be made
        }
        if (node.nodeType === Node.ELEMENT_NODE) {
            depth > 0 && copy.appendChild(copyOf(node as Element, namespaceURI, depth - 1));
        } else if (node.nodeType === Node.TEXT_NODE || node.nodeType === Node.CDATA_SECTION_NODE) {
            copy.appendChild(ownerDocument.createTextNode(node.nodeValue ?? ''));
        }
    }
    copy.normalize();

    return copy;
}

/**
 * Takes of a stanza that cannot be put into one form what the server writes: its first tag, and its own element about an
 * occupant. So no occupant is overlooked whose presence is of that kind.
 *
 * @param {Element} element - The element.
 * @returns {Element} - What is left of it.
 */
function bareOf(element: Element): Element {
    const copy = element.cloneNode(false) as Element;
    const own = child(element, 'x', MUC_USER);

    own && copy.appendChild(own.cloneNode(true));

    return copy;
}

/**
 * Removes elements below the given depth.
 *
 * @param {Element} element - The element, which is changed.
 * @param {number} depth - How many levels of elements stay.
 * @returns {void}
 */
function flatten(element: Element, depth: number): void {
    for (const inner of Array.from(element.children)) {
        // Nothing below a child of a presence bears a name that means something as a child of a presence.
        if (depth > 0 && ![ 'flip_device', 'item', 'status', 'x' ].includes(inner.localName)) {
            flatten(inner, depth - 1);
        } else {
            inner.remove();
        }
    }
}

/**
 * Leaves of the elements of a room's own namespace the last one, which is the server's: it takes away what clients write
 * there, and appends its own.
 *
 * @param {Element} stanza - The stanza, which is changed.
 * @returns {Element|undefined} - The element that is left.
 */
function serversOwn(stanza: Element): Element | undefined {
    const own = child(stanza, 'x', MUC_USER);

    for (const element of Array.from(stanza.children)) {
        if (element !== own && element.namespaceURI === MUC_USER) {
            element.remove();
        }
    }
    for (const element of Array.from(own?.children ?? [])) {
        const known = element.namespaceURI === MUC_USER ? SERVERS.get(element.localName) : undefined;

        if (!known || (element.localName === 'item' && element !== own?.getElementsByTagNameNS(MUC_USER, 'item')[0])) {
            element.remove();
            continue;
        }
        for (const inner of Array.from(element.children)) {
            known.includes(inner.localName) && inner.namespaceURI === MUC_USER ? flatten(inner, 0) : inner.remove();
        }
    }

    return own;
}

/**
 * Takes everything from a stanza that a handler could react to. The stanza itself stays: stream management counts it.
 *
 * @param {Element} stanza - The stanza, which is changed.
 * @param {string} why - The reason, for the log.
 * @returns {void}
 */
function refuse(stanza: Element, why: string): void {
    logger.warn(`Refused ${stanza.localName} of ${stanza.getAttribute('from')}: ${why}`);
    stanza.replaceChildren();
    stanza.removeAttribute('id');
    stanza.setAttribute('type', 'refused');
}

/**
 * Leaves of what an occupant says about sources what is about its own: their names begin with the occupant's. Under
 * another's name, a screen would be shown that the other does not share.
 *
 * @param {Element} element - The element, which is changed.
 * @param {string} nick - The occupant's name in the room.
 * @returns {void}
 */
function cleanSources(element: Element, nick: string): void {
    let sources: object = {};

    try {
        sources = JSON.parse(element.textContent ?? '');
    } catch { // nothing is left of it
    }

    // With a dash in its name, another's source would be its own: `alice-x-v1` belongs to `alice`.
    const own = nick.includes('-') ? [] : Object.entries(sources ?? {})
        .filter(([ name, source ]) => /^-[av]\d+$/.test(name.slice(nick.length)) && name.startsWith(nick)
            && source !== null && typeof source === 'object');

    element.textContent = JSON.stringify(Object.fromEntries(own));
}

/**
 * Cleans an occupant's presence.
 *
 * @param {Element} presence - The stanza, which is changed.
 * @param {ISender} sender - Who has sent it.
 * @param {XMPP} xmpp - To ask who the focus is.
 * @returns {void}
 */
function cleanPresence(presence: Element, { isService, room }: ISender, xmpp: XMPP): void {
    const type = presence.getAttribute('type');
    const from = presence.getAttribute('from');

    if (!room) {
        return;
    }
    if (type === 'error') {
        // The server answers to the client's own presence, in the name of the room or of the client's own place there.
        isService || from === room.myroomjid || refuse(presence, 'an error of another participant');

        return;
    }

    const own = serversOwn(presence);
    const jid = own && child(own, 'item', MUC_USER)?.getAttribute('jid');
    const isFocus = Boolean(jid) && xmpp.moderator.isFocusJid(jid);
    const isHidden = Boolean(jid) && domain(jid) === room.options.hiddenDomain;
    const has = (code: string) => Array.from(own?.children ?? [])
        .some(element => element.localName === 'status' && element.getAttribute('code') === code);

    for (const element of Array.from(presence.children)) {
        const name = element.localName;

        if (element === own) {
            continue;
        }
        if (OF_NOBODY.has(name)
                || (OF_FOCUS.has(name) && !isFocus)
                || (OF_SERVICES.has(name) && !isFocus && !isHidden)
                || (name === 'permissions' && !(has('110') && from === room.myroomjid))
                || (name === 'flip_device' && !has('307'))) {
            element.remove();
        } else {
            flatten(element, DEPTH.get(name) ?? 0);
            name === 'SourceInfo' && cleanSources(element, from?.slice(bare(from).length + 1) ?? '');
        }
    }
}

/**
 * Cleans a message.
 *
 * @param {Element} message - The stanza, which is changed.
 * @param {ISender} sender - Who has sent it.
 * @param {XMPP} xmpp - To ask for the server's name.
 * @returns {void}
 */
function cleanMessage(message: Element, { isKnown, isService }: ISender, xmpp: XMPP): void {
    const from = message.getAttribute('from');
    const isServer = !from || [ xmpp.options.hosts.domain, xmpp.connection.domain ].includes(from);
    const isTopic = message.getAttribute('type') === 'groupchat'
        && !child(message, 'body', CLIENT) && !child(message, 'thread', CLIENT);
    const seen = new Set<string>();

    serversOwn(message);
    for (const element of Array.from(message.children).reverse()) {
        const { localName: name, namespaceURI: namespace } = element;

        // Of several that count once, what the server has appended is last.
        if ((NAMESPACES.has(name) && (namespace !== NAMESPACES.get(name) || seen.has(name)))
                || (name === 'subject' && !isTopic && !isService)
                || (name === 'x' && namespace === MUC_USER && !isService)
                || ((name === 'services' || name === 'query') && !isServer)
                || (name === 'settings-error' && !isService)
                || ((name === 'display-name' || name === 'addresses') && isKnown)) {
            element.remove();
            continue;
        }
        seen.add(name);
        if (name === 'error' && !isService) { // the condition is enough; the text would be shown
            child(element, 'text', 'urn:ietf:params:xml:ns:xmpp-stanzas')?.remove();
            element.querySelectorAll(':scope>text').forEach(text => text.remove());
        }
        for (const inner of name === 'addresses' ? Array.from(element.children) : []) {
            flatten(inner, 0);
        }
    }
}

/**
 * Cleans a question or a command.
 *
 * @param {Element} iq - The stanza, which is changed.
 * @param {ISender} sender - Who has sent it.
 * @returns {void}
 */
function cleanIq(iq: Element, { isFocus, isKnown, isService, room }: ISender): void {
    const [ first, ...more ] = Array.from(iq.children);

    more.forEach(element => element.remove());
    if (!first) {
        return;
    }

    const { localName: name, namespaceURI: namespace } = first;
    const claims = (iq.getAttribute('from') ?? '').split('/')[1] === 'focus';

    if (namespace?.startsWith(DISCO)) {
        name === 'query' ? flatten(first, 0) : refuse(iq, 'no query');
    } else if (namespace === JINGLE) {
        if (name !== 'jingle' || !room || !isKnown || (claims && !isFocus)) {
            refuse(iq, 'a call of somebody who is not in the room, or not the focus');
        } else {
            first.querySelectorAll('jingle').forEach(inner => inner.remove());
        }
    } else if (namespace?.startsWith(MUTE)) {
        name === 'mute' && isFocus ? flatten(first, 0) : refuse(iq, 'only the focus mutes');
    } else if (namespace === VISITORS) {
        name === 'visitors' && (isService || isFocus)
            ? first.querySelectorAll(':scope>*>*').forEach(inner => inner.remove())
            : refuse(iq, 'only the room lets visitors in');
    }
}

/**
 * Puts everything that a connection receives into one form, and keeps its handlers alive.
 *
 * @param {XMPP} xmpp - The connection, before its first handler.
 * @returns {void}
 */
export function guard(xmpp: XMPP): void {
    const { connection } = xmpp;
    const strophe: any = connection._stropheConn;
    const transport = strophe._proto;
    const { addHandler, sendIQ } = strophe;
    const { _onMessage: take, _reqToData: receive } = transport;
    const asked = new Map<string, string>();
    let frame = '';

    const senderOf = (stanza: Element): ISender => {
        const from = stanza.getAttribute('from');
        const rooms = new Map<string, IRoom>(Object.entries((connection.emuc as any)?.rooms ?? {}));
        const room = rooms.get(bare(from));
        const isFocus = (from && room?.isFocus(from)) ?? null;

        return {
            isFocus: isFocus === true,
            isKnown: isFocus !== null || (Boolean(from) && from === room?.myroomjid),
            isService: !from?.includes('/'),
            room
        };
    };

    // An answer counts where it comes from whom was asked; without an address, the server has been asked, or the account.
    const isAsked = (answer: Element) => {
        const to = asked.get(answer.getAttribute('id') ?? '');
        const from = (answer.getAttribute('from') ?? '').toLowerCase();

        return to === undefined || from === to
            || ([ '', bare(connection.jid).toLowerCase(), connection.domain ].includes(to)
                && [ '', bare(connection.jid), connection.jid, connection.domain ].some(
                    own => own?.toLowerCase() === from));
    };

    const clean = (element: Element): Element => {
        const stanza = copyOf(element, element.parentElement?.namespaceURI ?? null);
        const from = stanza.getAttribute('from');

        from && stanza.setAttribute('from', unlikeProperty(from));
        if (stanza.localName === 'presence') {
            cleanPresence(stanza, senderOf(stanza), xmpp);
        } else if (stanza.localName === 'message') {
            cleanMessage(stanza, senderOf(stanza), xmpp);
        } else if ([ 'error', 'result' ].includes(stanza.getAttribute('type') ?? '')) {
            isAsked(stanza) ? asked.delete(stanza.getAttribute('id') ?? '') : refuse(stanza, 'somebody else was asked');
        } else {
            cleanIq(stanza, senderOf(stanza));
        }

        return stanza;
    };

    const cleanOrBare = (element: Element): Element => {
        try {
            return clean(element);
        } catch (error) {
            logger.error(`Cannot read ${element.localName} of ${element.getAttribute('from')}`, error);

            return clean(bareOf(element));
        }
    };

    // The frame of a WebSocket, which is one stanza. BOSH has none.
    transport._onMessage = take && ((message: { data: string; }) => {
        frame = `<wrapper>${message.data}</wrapper>`;
        try {
            take.call(transport, message);
        } finally {
            frame = '';
        }
    });

    // Over a WebSocket, a request is what has been parsed; over BOSH it holds that, and the text.
    transport._reqToData = (request: any) => {
        const text: string | undefined = take ? frame : request.xhr?.responseText;
        const salvaged = text && isUnreadable(take ? request : request.xhr.responseXML?.documentElement)
            ? salvage(text) : undefined;
        const data: Element | null = salvaged ?? receive.call(transport, request);

        for (const element of Array.from(data?.children ?? [])) {
            if ([ 'iq', 'message', 'presence' ].includes(element.localName)) {
                element.replaceWith(cleanOrBare(element));
            }
        }

        return data;
    };

    strophe.sendIQ = (elem: any, ...rest: any[]) => {
        const id = sendIQ.call(strophe, elem, ...rest);
        const iq: Element = elem.tree ? elem.tree() : elem;

        asked.set(id, (iq.getAttribute('to') ?? '').toLowerCase());

        return id;
    };

    // Strophe drops a handler that throws: after one stanza that a handler cannot read, it would read no other.
    strophe.addHandler = (handler: any, ...[ namespace, name, type, id, ...rest ]: any[]) =>
        addHandler.call(strophe, id ? handler : (stanza: Element) => {
            try {
                return handler(stanza);
            } catch (error) {
                logger.error(`A handler failed on ${stanza.localName} of ${stanza.getAttribute('from')}`, error);

                return true;
            }
        }, namespace, name, type, id, ...rest);
}
