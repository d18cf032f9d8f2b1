import i18next from 'i18next';

/**
 * Returns the attributes for an element with texts of ours. They exist in fewer languages than upstream's: where a page
 * shows them in another language than its own, the element names that language, so that screen readers pronounce it.
 *
 * @param {string} key - A key of the texts in the element.
 * @returns {Object} The attributes `lang` and `dir`, or none where the texts are in the language of the page.
 */
export function languageOfOurTexts(key: string): { dir?: string; lang?: string; } {
    const found = i18next.languages?.find(language => i18next.getResource(language, 'main', key) !== undefined);

    // Texts in French are at home on a page in Canadian French.
    if (!found || found === i18next.language?.split('-')[0] || found === i18next.language) {
        return {};
    }

    return {
        dir: i18next.dir(found),
        lang: found
    };
}
