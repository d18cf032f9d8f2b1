import React, { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

/** A page in English is better than none: after this time in milliseconds, texts that have not come are not waited for. */
const PATIENCE = 10_000;

/**
 * Renders its children once the texts of the reader's language are there. Upstream renders at once: on a slow line the page
 * is first in English, without a language of its own, and says so to screen readers.
 *
 * @param {Object} props - The properties.
 * @returns {ReactElement|null}
 */
const TextsLoaded = ({ children }: { children: React.ReactNode; }) => {
    const { i18n } = useTranslation();
    const [ loaded, setLoaded ] = useState(i18n.isInitialized);

    useEffect(() => {
        const onLoaded = () => setLoaded(true);
        const timer = setTimeout(onLoaded, PATIENCE);

        i18n.isInitialized && onLoaded();
        i18n.on('initialized', onLoaded);

        return () => {
            clearTimeout(timer);
            i18n.off('initialized', onLoaded);
        };
    }, []);

    return loaded ? <>{ children }</> : null;
};

export default TextsLoaded;
