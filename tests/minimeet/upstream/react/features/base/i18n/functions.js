import { h } from '../util/dom';

const LANGUAGES = { en: 'English', de: 'Deutsch' };
let texts = {};

function wanted() {
    const language = new URLSearchParams(location.search).get('lang') || navigator.language.slice(0, 2);

    return language in LANGUAGES ? language : 'en';
}

/** Loads the texts of the reader's language. */
export async function loadTexts() {
    const language = wanted();
    const response = await fetch(language === 'en' ? 'lang/main.json' : `lang/main-${language}.json`);

    texts = await response.json();
    document.documentElement.lang = language;
}

/** The text for a key such as 'login.name'; the key itself where there is none. */
export function t(key) {
    return key.split('.').reduce((part, name) => part?.[name], texts) ?? key;
}

/** A choice of languages; the page is loaded anew with the chosen one. */
export function languageMenu() {
    const options = Object.entries(LANGUAGES).map(([ value, name ]) =>
        h('option', { value, lang: value, selected: value === wanted() }, name));

    return h('select', {
        'aria-label': t('language'),
        onchange: ({ target }) => {
            location.search = `?lang=${target.value}`;
        }
    }, ...options);
}
