import React, { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { makeStyles } from 'tss-react/mui';

import i18next, { LANGUAGES } from '../../base/i18n/i18next';

const useStyles = makeStyles()(theme => {
    return {
        choice: {
            ...theme.typography.bodyShortRegular,
            alignItems: 'center',
            display: 'flex',
            flexWrap: 'wrap',
            gap: theme.spacing(2),
            justifyContent: 'center',

            '& select': {
                ...theme.typography.bodyShortRegular,
                background: theme.palette.inputFieldBackground,
                border: `1px solid ${theme.palette.text03}`,
                borderRadius: theme.shape.borderRadius,
                color: theme.palette.inputFieldText,
                maxWidth: '100%',
                minHeight: '32px',
                padding: theme.spacing(1, 2)
            },
            '& select:focus-visible': {
                boxShadow: `0 0 0 2px ${theme.palette.inputFieldFocus}`,
                outline: '2px solid transparent'
            }
        }
    };
});

/**
 * Offers the languages of the interface, each by its own name. The browser keeps the choice as it keeps that of the settings.
 *
 * @returns {ReactElement}
 */
const LanguageChoice = () => {
    const { classes } = useStyles();
    const { i18n, t } = useTranslation();
    const onChange = useCallback((event: React.ChangeEvent<HTMLSelectElement>) => {
        i18next.changeLanguage(event.target.value);
    }, []);

    return (
        <div className = { classes.choice }>
            <label htmlFor = 'personal-login-language'>{ t('settings.language') }</label>
            <select
                id = 'personal-login-language'
                onChange = { onChange }
                value = { LANGUAGES.includes(i18n.language) ? i18n.language : 'en' }>
                { LANGUAGES.map(language => (
                    <option
                        key = { language }
                        lang = { language }
                        value = { language }>
                        { t(`languages:${language}`) }
                    </option>
                )) }
            </select>
        </div>
    );
};

export default LanguageChoice;
