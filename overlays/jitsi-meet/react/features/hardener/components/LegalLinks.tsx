import { isEqual } from 'lodash-es';
import React from 'react';
import { useTranslation } from 'react-i18next';
import { useSelector } from 'react-redux';
import { makeStyles } from 'tss-react/mui';

import { getLegalPages } from '../operator';
import { languageOfOurTexts } from '../ownTexts';

interface IProps {

    /** Whether the links are a bar of their own at the bottom of a page. */
    bar?: boolean;
}

const useStyles = makeStyles()(theme => {
    return {
        list: {
            ...theme.typography.bodyShortRegular,
            display: 'flex',
            flexWrap: 'wrap',
            gap: theme.spacing(2, 4),
            justifyContent: 'center',
            listStyle: 'none',
            margin: 0,
            padding: 0,

            '& a': {
                borderRadius: theme.shape.borderRadius,
                color: theme.palette.text01,
                display: 'inline-block',
                padding: theme.spacing(1, 0),
                textDecoration: 'underline'
            },
            '& a:focus-visible': {
                boxShadow: `0 0 0 2px ${theme.palette.focus01}`,
                outline: '2px solid transparent'
            },
            '& a:hover': {
                textDecoration: 'none'
            }
        },
        bar: {
            background: theme.palette.uiBackground,
            padding: theme.spacing(3)
        }
    };
});

/**
 * Links the operator's imprint, privacy notice, terms and accessibility statement, where config.js names them.
 *
 * @param {Object} props - The properties.
 * @returns {ReactElement|null}
 */
const LegalLinks = ({ bar }: IProps) => {
    const { classes, cx } = useStyles();
    const { t } = useTranslation();
    const pages = useSelector(getLegalPages, isEqual);

    return pages.length === 0 ? null : (
        <ul
            { ...languageOfOurTexts('hardenedOperator.about') }
            aria-label = { t('hardenedOperator.about') }
            className = { cx(classes.list, bar && classes.bar) }
            data-testid = 'hardener.legal'>
            { pages.map(({ href, page }) => (
                <li key = { page }>
                    <a
                        href = { href }
                        rel = 'noopener noreferrer'
                        target = '_blank'>
                        { t(`hardenedOperator.${page}`) }
                    </a>
                </li>
            )) }
        </ul>
    );
};

export default LegalLinks;
