/* global config, interfaceConfig */

import { languageMenu, t } from '../base/i18n/functions';
import { h, show } from '../base/util/dom';
import { connect } from '../connection/functions';

/** Shows the login form; after a login the room takes its place. */
export function showLogin(problem = '') {
    const status = h('p', { className: 'problem', role: 'alert' }, problem && t(problem));
    const field = (name, values) => h('label', {}, t(`login.${name}`), h('input', { name, required: true, ...values }));

    async function enter({ room, user }, jid, password) {
        location.hash = encodeURIComponent(room.value);
        form.inert = true;
        try {
            const connection = await connect(jid, password, () => showLogin('login.lost'));
            const { showRoom } = await import('../room');

            showRoom(connection, room.value, user.value);
        } catch (error) {
            status.textContent = t(error.message);
            form.inert = false;
            user.focus();
        }
    }

    const form = h('form', {
        className: 'card',
        onsubmit: event => {
            const { password, user } = form.elements;

            event.preventDefault();
            enter(form.elements, `${user.value}@${config.domain}`, password.value);
        }
    },
    h('h1', {}, h('img', { src: 'images/logo.svg', alt: '' }), interfaceConfig.APP_NAME),
    h('p', {}, t('login.intro')),
    field('room', { value: decodeURIComponent(location.hash.slice(1)) }),
    field('user', { autocomplete: 'username', autocapitalize: 'none' }),
    field('password', { type: 'password', autocomplete: 'current-password' }),
    h('button', {}, t('login.enter')),
    h('button', {
        className: 'second',
        type: 'button',
        onclick: () => {
            const { room, user } = form.elements;

            room.reportValidity() && user.reportValidity() && enter(form.elements, config.anonymousDomain);
        }
    }, t('login.guest')),
    status,
    h('footer', {}, languageMenu(), h('a', { href: 'static/about.html' }, t('about'))));

    show(form);
}
