/* global config, __DEV__ */

import { $msg, $pres, Strophe } from 'strophe.js';

const MUC = 'http://jabber.org/protocol/muc';

/** Signs in. The promise is rejected with the key of a text that says why it did not work. */
export function connect(jid, password, onLost) {
    const connection = new Strophe.Connection(config.websocket);
    let connected = false;

    return new Promise((resolve, reject) => connection.connect(jid, password, (status, condition) => {
        __DEV__ && console.log('connection', status, condition);
        switch (status) {
        case Strophe.Status.CONNECTED:
            connected = true;
            resolve(connection);
            break;
        case Strophe.Status.AUTHFAIL:
            reject(new Error('login.refused'));
            connection.disconnect();
            break;
        case Strophe.Status.CONNFAIL:
        case Strophe.Status.DISCONNECTED:
            reject(new Error('login.unreachable'));
            connected && onLost();
        }
    }));
}

/** Enters a room and tells `on` who comes, who goes and what is said. Returns what can be done there. */
export function joinRoom(connection, name, nick, on) {
    const room = `${Strophe.escapeNode(name.toLowerCase())}@${config.muc}`;
    const from = stanza => Strophe.getResourceFromJid(stanza.getAttribute('from'));
    const text = (stanza, tag) => stanza.getElementsByTagName(tag)[0]?.textContent;
    const listen = (tag, type, handler) => connection.addHandler(stanza => {
        handler(stanza);

        return true;
    }, null, tag, type, null, room, { matchBareFromJid: true });

    listen('presence', null, stanza => {
        const participant = { avatarURL: text(stanza, 'avatar-url'), nick: from(stanza) };

        switch (stanza.getAttribute('type')) {
        case null:
            return on.join(participant);
        case 'unavailable':
            return on.leave(participant);
        case 'error':
            return on.refused();
        }
    });
    listen('message', 'groupchat', stanza => text(stanza, 'body') && on.message(from(stanza), text(stanza, 'body')));
    connection.send($pres({ to: `${room}/${nick}` }).c('x', { xmlns: MUC }));

    return {
        leave: () => connection.disconnect(),
        say: body => connection.send($msg({ to: room, type: 'groupchat' }).c('body').t(body))
    };
}
