import React, { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { makeStyles } from 'tss-react/mui';

interface IProps {
    busy: boolean;
    buttonClass: string;
    onSubmit: (userName: string, password: string) => void;

    /** Why the last attempt has failed, if it has. */
    problem?: string;
}

const useStyles = makeStyles()(theme => {
    return {
        label: {
            ...theme.typography.bodyShortRegularLarge,
            display: 'block',
            margin: theme.spacing(3, 0, 2)
        },
        input: {
            ...theme.typography.bodyShortRegularLarge,
            background: theme.palette.inputFieldBackground,
            border: `1px solid ${theme.palette.text03}`,
            borderRadius: theme.shape.borderRadius,
            boxSizing: 'border-box',
            color: theme.palette.inputFieldText,
            height: '48px',
            padding: theme.spacing(2, 3),
            width: '100%',

            '&:focus': {
                borderColor: theme.palette.inputFieldFocus,
                boxShadow: `0 0 0 2px ${theme.palette.inputFieldFocus}`,
                outline: 0
            },
            '&[aria-invalid="true"]': {
                borderColor: theme.palette.inputFieldError
            }
        },
        show: {
            ...theme.typography.bodyShortRegularLarge,
            alignItems: 'center',
            display: 'flex',
            gap: theme.spacing(2),
            margin: theme.spacing(3, 0, 4),
            minHeight: '24px',

            '& input': {
                height: '20px',
                margin: 0,
                width: '20px'
            }
        }
    };
});

/**
 * The form for user name and password. It is a real one, so that password managers and the Enter key work. What is typed stays
 * in the fields of the page: it is read once, when the form is sent.
 *
 * @param {Object} props - The properties.
 * @returns {ReactElement}
 */
const LoginForm = ({ busy, buttonClass, onSubmit, problem }: IProps) => {
    const { classes } = useStyles();
    const { t } = useTranslation();
    const userName = useRef<HTMLInputElement>(null);
    const password = useRef<HTMLInputElement>(null);
    const [ shown, setShown ] = useState(false);
    const refused = problem === 'refused';
    const invalid = {
        'aria-describedby': refused ? 'personal-login-problem' : undefined,
        'aria-invalid': refused
    };

    useEffect(() => {
        userName.current?.focus();
    }, []);

    useEffect(() => {
        // The name stays; the password is typed anew.
        if (refused && !busy && userName.current?.value) {
            password.current?.focus();
            password.current?.select();
        }
    }, [ busy, refused ]);

    const submit = useCallback((event: React.FormEvent) => {
        event.preventDefault();
        if (!busy && userName.current && password.current) {
            onSubmit(userName.current.value, password.current.value);
        }
    }, [ busy, onSubmit ]);

    const toggle = useCallback(() => setShown(one => !one), []);

    return (
        <form
            aria-busy = { busy }
            aria-labelledby = 'personal-login-title'
            method = 'post'
            onSubmit = { submit }>
            <label
                className = { classes.label }
                htmlFor = 'personal-login-user'>
                { t('personalLogin.user') }
            </label>
            <input
                { ...invalid }
                autoCapitalize = 'none'
                autoComplete = 'username'
                autoCorrect = 'off'
                className = { classes.input }
                id = 'personal-login-user'
                name = 'username'
                readOnly = { busy }
                ref = { userName }
                required = { true }
                spellCheck = { false }
                type = 'text' />
            <label
                className = { classes.label }
                htmlFor = 'personal-login-password'>
                { t('personalLogin.password') }
            </label>
            <input
                { ...invalid }
                autoCapitalize = 'none'
                autoComplete = 'current-password'
                autoCorrect = 'off'
                className = { classes.input }
                id = 'personal-login-password'
                name = 'password'
                readOnly = { busy }
                ref = { password }
                required = { true }
                spellCheck = { false }
                type = { shown ? 'text' : 'password' } />
            <label className = { classes.show }>
                <input
                    checked = { shown }
                    onChange = { toggle }
                    type = 'checkbox' />
                { t('personalLogin.showPassword') }
            </label>
            <button
                aria-disabled = { busy }
                className = { buttonClass }
                data-testid = 'personal-login.submit'
                type = 'submit'>
                { t(problem === 'unreachable' ? 'personalLogin.retry' : 'personalLogin.submit') }
            </button>
        </form>
    );
};

export default LoginForm;
