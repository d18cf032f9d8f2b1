import React, { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { useDispatch, useSelector } from 'react-redux';
import { makeStyles } from 'tss-react/mui';

import { languageOfOurTexts } from '../../hardener/ownTexts';
import { askAndLogOut } from '../actions';
import { getLogin } from '../functions';

const useStyles = makeStyles()(theme => {
    return {
        line: {
            ...theme.typography.bodyShortRegular,
            alignItems: 'center',
            color: theme.palette.prejoinTitleText,
            display: 'flex',
            flexWrap: 'wrap',
            justifyContent: 'center',
            marginBottom: theme.spacing(3),
            overflowWrap: 'anywhere',
            textAlign: 'center'
        },
        button: {
            ...theme.typography.bodyShortBold,
            background: 'none',
            border: '1px solid transparent',
            borderRadius: theme.shape.borderRadius,
            color: 'inherit',
            cursor: 'pointer',
            padding: theme.spacing(1, 2),
            width: 'auto',
            textDecoration: 'underline',

            '&:focus-visible': {
                boxShadow: `0 0 0 2px ${theme.palette.focus01}`,
                outline: '2px solid transparent'
            }
        }
    };
});

/**
 * Says on the page before a meeting who has logged in, and offers to log out. In a meeting, the settings do.
 *
 * @returns {ReactElement|null}
 */
const SignedInAs = () => {
    const { classes } = useStyles();
    const { t } = useTranslation();
    const dispatch = useDispatch();
    const login = useSelector(getLogin);
    const onClick = useCallback(() => dispatch(askAndLogOut() as any), []);

    if (!login || login.mode === 'recorder') {
        return null;
    }

    return (
        <div
            { ...languageOfOurTexts('personalLogin.signOut') }
            className = { classes.line }
            data-testid = 'personal-login.signed-in'>
            { login.name ? t('personalLogin.signedInAs', { name: login.name }) : t('personalLogin.signedIn') }
            <button
                className = { classes.button }
                data-testid = 'personal-login.sign-out'
                onClick = { onClick }
                type = 'button'>
                { t('personalLogin.signOut') }
            </button>
        </div>
    );
};

export default SignedInAs;
