import React, { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { makeStyles } from 'tss-react/mui';

interface IProps {
    busy: boolean;
    buttonClass: string;

    /** The element that says why the last attempt has failed. */
    message: React.ReactNode;

    /** Whether the page has a message when it opens. */
    noticed: boolean;
    onSubmit: (userName: string, password: string) => void;

    /** Why the last attempt has failed, if it has. */
    problem?: string;

    /** The user name to begin with. */
    user?: string;
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

                // Forced colours drop shadows and draw outlines, the transparent ones as well.
                outline: '2px solid transparent'
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
                flexShrink: 0,
                height: '1.25em',
                margin: 0,
                width: '1.25em'
            }
        }
    };
});

/**
 * Renders the form for user name and password. It is a real one, so that password managers and the Enter key work. What is
 * typed stays in the fields of the page: it is read once, when the form is sent.
 *
 * @param {Object} props - The properties.
 * @returns {ReactElement}
 */
const LoginForm = ({ busy, buttonClass, message, noticed, onSubmit, problem, user }: IProps) => {
    const { classes } = useStyles();
    const { t } = useTranslation();
    const userName = useRef<HTMLInputElement>(null);
    const password = useRef<HTMLInputElement>(null);
    const [ shown, setShown ] = useState(false);
    const refused = problem === 'refused';

    // A message that is there when the page opens is read with the field that gets the focus.
    const description = noticed ? 'personal-login-status' : undefined;
    const invalid = {
        'aria-describedby': refused ? 'personal-login-problem' : description,
        'aria-invalid': refused
    };

    useEffect(() => {
        (user ? password : userName).current?.focus();
    }, []);

    useEffect(() => {
        // The name stays; the password is typed again.
        if (refused && !busy && userName.current?.value) {
            password.current?.focus();
            password.current?.select();
        }
        if (problem && !busy) {
            // At 400 % the field and its message do not both fit by chance.
            document.getElementById('personal-login-problem')?.scrollIntoView({ block: 'nearest' });
        }
    }, [ busy, problem ]);

    const submit = useCallback((event: React.FormEvent) => {
        event.preventDefault();
        if (!busy && userName.current && password.current) {
            onSubmit(userName.current.value, password.current.value);
        }
    }, [ busy, onSubmit ]);

    const toggle = useCallback(() => setShown(visible => !visible), []);

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
                defaultValue = { user }
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
            { message }
            <button
                aria-disabled = { busy }
                className = { buttonClass }
                data-testid = 'personal-login.submit'
                type = 'submit'>
                { t(problem === 'unreachable' || problem === 'undecided' ? 'personalLogin.retry' : 'personalLogin.submit') }
            </button>
        </form>
    );
};

export default LoginForm;
