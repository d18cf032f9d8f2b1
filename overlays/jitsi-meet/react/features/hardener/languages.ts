/*
 * hardener: browsers often report a language with its region only ([ 'de-DE' ]: Safari always does). Upstream has no such
 * entry and continues with the default, English; of [ 'de-DE', 'en' ] it takes the second. Here each entry is answered with
 * the closest language that there is, in the order of the reader.
 */
import BrowserLanguageDetector from 'i18next-browser-languagedetector';

import LANGUAGES_RESOURCES from '../../../lang/languages.json';

/** The languages of the interface, by their names in lower case. */
const SUPPORTED = new Map(Object.keys(LANGUAGES_RESOURCES).map(language => [ language.toLowerCase(), language ]));

/** Where the closest language has another name: Chinese goes by its script, and not by the region. */
const CLOSEST: Record<string, string | undefined> = {
    gsw: 'de',
    nn: 'no',
    yue: 'zh',
    'zh-Hans': 'zh-CN',
    'zh-Hant': 'zh-TW'
};

/**
 * Returns the closest supported language: the same one, the one of the same script or region, or the base language.
 *
 * @param {any} tag - A language tag as browsers, links and configuration name it.
 * @returns {string|undefined} A key of lang/languages.json, or nothing where the language is not supported.
 */
export function closestLanguage(tag: unknown): string | undefined {
    // Systems also write de_AT, or de_AT.UTF-8.
    const name = String(tag ?? '').trim()
        .replace(/[.@].*$/, '')
        .replace(/_/g, '-');

    if (SUPPORTED.has(name.toLowerCase())) {
        return SUPPORTED.get(name.toLowerCase());
    }

    try {
        const { language: given, region, script } = new Intl.Locale(name).maximize();
        const language = CLOSEST[given] ?? given;

        return [ `${language}-${script}`, `${language}-${region}`, language ]
            .map(candidate => SUPPORTED.get((CLOSEST[candidate] ?? candidate).toLowerCase()))
            .find(Boolean);
    } catch {
        return undefined; // not a language tag
    }
}

/**
 * The language detector with answers that are supported, and a memory for choices only: what the browser or the
 * configuration says is asked again on each visit. Otherwise a visit with the wrong language decides for all later ones.
 */
export default class LanguageDetector extends BrowserLanguageDetector {
    /**
     * Adds a detector, and replaces its answers by supported languages.
     *
     * @inheritdoc
     */
    override addDetector(detector: any) {
        return super.addDetector({
            ...detector,
            lookup: (options: any): any => [].concat(detector.lookup(options))
                .map(closestLanguage)
                .filter(Boolean)
        });
    }

    /**
     * Remembers a language if it is another one than the page would choose.
     *
     * @inheritdoc
     */
    override cacheUserLanguage(language: string, caches?: string[]) {
        const { lookupLocalStorage, order } = (this as any).options;
        const automatic = this.detect(order.filter((name: string) => name === 'navigator' || name.startsWith('config')));

        if (language !== automatic) {
            return super.cacheUserLanguage(language, caches);
        }

        try {
            window.localStorage.removeItem(lookupLocalStorage);
        } catch {
            // The browser has no storage for us.
        }
    }
}
