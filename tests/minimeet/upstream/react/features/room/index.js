/* global interfaceConfig */

import { sendEvent } from '../analytics/functions';
import { getAvatarURL, getInitials } from '../base/avatar/functions';
import { t } from '../base/i18n/functions';
import { h, show } from '../base/util/dom';
import { joinRoom } from '../connection/functions';

import './room.css';

function avatar(participant) {
    const { color, text } = getInitials(participant);
    const src = getAvatarURL(participant);
    const circle = h('span', { className: 'avatar', 'aria-hidden': 'true' }, text);

    circle.style.background = color;
    src && circle.append(h('img', { src, alt: '', onerror: ({ target }) => target.remove() }));

    return circle;
}

/** Shows the room: who is there, what is said, and a field to say something. */
export function showRoom(connection, name, nick) {
    const people = new Map();
    const list = h('ul', { className: 'people', 'aria-label': t('room.people') });
    const log = h('div', { className: 'log', role: 'log', tabIndex: 0, 'aria-label': t('room.messages') });
    const input = h('input', { 'aria-label': t('room.message'), placeholder: t('room.message'), autocomplete: 'off' });

    function forget(participant) {
        people.get(participant.nick)?.remove();
        people.delete(participant.nick);
    }

    const room = joinRoom(connection, name, nick, {
        join(participant) {
            const known = people.has(participant.nick);

            forget(participant);
            people.set(participant.nick, h('li', {}, avatar(participant), participant.nick));
            list.append(people.get(participant.nick));
            if (!known && participant.nick !== nick && interfaceConfig.JOIN_SOUND) {
                new Audio('sounds/joined.wav').play().catch(() => { /* the browser wants silence */ });
            }
        },
        leave: forget,
        message(from, body) {
            log.append(h('p', { className: from === nick ? 'own' : '' }, h('b', {}, from), ' ', body));
            log.scrollTop = log.scrollHeight;
        },
        refused() {
            log.append(h('p', { className: 'problem' }, t('room.refused')));
        }
    });

    sendEvent('room.joined', { name });
    show(h('div', { className: 'room' },
        h('header', {}, h('h1', {}, name), h('button', { className: 'second', onclick: room.leave }, t('room.leave'))),
        list,
        log,
        h('form', {
            onsubmit: event => {
                event.preventDefault();
                input.value.trim() && room.say(input.value);
                input.value = '';
            }
        }, input, h('button', {}, t('room.send')))));
    input.focus();
}
