import React, { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useDispatch, useSelector, useStore } from 'react-redux';
import { makeStyles } from 'tss-react/mui';

import { IReduxState, IStore } from '../../app/types';
import { getConferenceName } from '../../base/conference/functions';
import { languageOfOurTexts } from '../../hardener/ownTexts';
import { Notice, askGateway, signInAsRecorder, signInWithPassword, signInWithToken } from '../actions';
import { getLoginMode, isUsableToken } from '../functions';
import { useUpRecorderAccount } from '../recorder';
import { Problem } from '../verify';

import LoginForm from './LoginForm';

const useStyles = makeStyles()(theme => {
    return {
        page: {
            alignItems: 'center',
            background: theme.palette.uiBackground,
            boxSizing: 'border-box',
            color: theme.palette.text01,
            display: 'flex',
            inset: 0,
            justifyContent: 'center',
            overflow: 'auto',
            padding: theme.spacing(3),
            position: 'absolute'
        },
        card: {
            background: theme.palette.dialogBackground,
            border: `1px solid ${theme.palette.dialogBorder}`,
            borderRadius: theme.shape.borderRadius,
            boxSizing: 'border-box',
            margin: 'auto',
            maxWidth: '100%',
            padding: theme.spacing(5),
            width: '400px'
        },
        title: {
            ...theme.typography.heading4,
            color: theme.palette.text01,
            margin: 0,
            outline: 0
        },
        text: {
            ...theme.typography.bodyShortRegularLarge,
            margin: `${theme.spacing(3)} 0`,
            overflowWrap: 'anywhere'
        },
        message: {
            ...theme.typography.bodyShortRegularLarge,
            borderInlineStart: `4px solid ${theme.palette.action01}`,
            margin: `${theme.spacing(3)} 0`,
            padding: theme.spacing(2, 3),

            // Always there, so that screen readers speak what comes into it.
            '&:empty': {
                border: 0,
                margin: 0,
                padding: 0
            }
        },
        problem: {
            borderInlineStartColor: theme.palette.textError,
            color: theme.palette.textError
        },
        button: {
            ...theme.typography.bodyShortBoldLarge,

            // Darker than upstream's buttons: 4.5 to 1 against the text (WCAG 2.2, 1.4.3).
            background: theme.palette.action01Active,
            border: 0,
            borderRadius: theme.shape.borderRadius,
            color: theme.palette.text01,
            cursor: 'pointer',
            minHeight: '48px',
            padding: theme.spacing(2, 3),
            width: '100%',

            '&:hover': {
                filter: 'brightness(1.15)'
            },
            '&:focus-visible': {
                boxShadow: `0 0 0 2px ${theme.palette.uiBackground}, 0 0 0 4px ${theme.palette.text01}`,
                outline: 0
            },
            '&[aria-disabled="true"]': {
                cursor: 'progress',
                opacity: 0.8
            }
        }
    };
});

/**
 * The message that was left for us when the page was loaded anew; it is shown once.
 *
 * @returns {string|undefined}
 */
function takeNotice(): Notice | undefined {
    const { personalLogin, ...others } = Object(window.history.state);

    personalLogin && window.history.replaceState(others, '');

    return personalLogin === 'ended' || personalLogin === 'signedOut' ? personalLogin : undefined;
}

/**
 * Where people log in: shown in the place of a meeting, before anything of it is loaded or asked for, until the server has
 * accepted a login.
 *
 * @returns {ReactElement}
 */
const LoginPage = () => {
    const { classes, cx } = useStyles();
    const { t } = useTranslation();
    const dispatch: IStore['dispatch'] = useDispatch();
    const { getState } = useStore<IReduxState>();
    const mode = useSelector(getLoginMode);
    const room = useSelector(getConferenceName);
    const gateway = useSelector((state: IReduxState) => Boolean(state['features/base/config'].tokenAuthUrl));
    const [ notice, setNotice ] = useState(takeNotice);
    const [ problem, setProblem ] = useState<string>();
    const [ busy, setBusy ] = useState(false);
    const title = useRef<HTMLHeadingElement>(null);

    const attempt = useCallback(async (signIn: () => Promise<any>, refused: string) => {
        setBusy(true);
        setNotice(undefined);
        setProblem(undefined);
        try {
            await signIn();
        } catch (error) {
            const reasons: Record<Problem, string> = {
                blocked: 'blocked',
                passwordNotAllowed: 'passwordNotAllowed',
                refused,
                unreachable: 'unreachable',
                unsupported: 'unsupportedServer',
                userNotAllowed: 'userNotAllowed'
            };

            setProblem(reasons[error as Problem] ?? 'unreachable');
            setBusy(false);
        }
    }, []);

    useEffect(() => {
        const { jwt } = getState()['features/base/jwt'];
        const recorder = useUpRecorderAccount();

        mode === 'token' && title.current?.focus();

        if (recorder) {
            attempt(() => dispatch(signInAsRecorder(recorder)), 'refused');
        } else if (mode === 'token' && jwt && isUsableToken(jwt)) {
            attempt(() => dispatch(signInWithToken()), 'tokenRefused');
        } else if (mode === 'token' && jwt) {
            setProblem('tokenUnusable');
        }
    }, []);

    useEffect(() => {
        document.title = `${t('personalLogin.title')} | ${interfaceConfig.APP_NAME}`;
    }, [ t ]);

    const onPassword = useCallback((userName: string, password: string) =>
        attempt(() => dispatch(signInWithPassword(userName, password)), 'refused'), []);

    const onGateway = useCallback(() => {
        busy || attempt(() => dispatch(askGateway()), 'tokenRefused');
    }, [ busy ]);

    return (
        <div
            aria-labelledby = 'personal-login-title'
            className = { classes.page }
            data-testid = 'personal-login'>
            <div
                { ...languageOfOurTexts('personalLogin.title') }
                className = { classes.card }>
                <h1
                    className = { classes.title }
                    id = 'personal-login-title'
                    ref = { title }
                    tabIndex = { -1 }>
                    { t('personalLogin.title') }
                </h1>
                <p className = { classes.text }>
                    { t(mode === 'token' && !gateway ? 'personalLogin.explainNoGateway' : 'personalLogin.explain', { room }) }
                </p>
                <p
                    className = { cx(classes.message, classes.problem) }
                    data-testid = 'personal-login.problem'
                    id = 'personal-login-problem'
                    role = 'alert'>
                    { problem && t(`personalLogin.${problem}`) }
                </p>
                <p
                    className = { classes.message }
                    data-testid = 'personal-login.status'
                    role = 'status'>
                    { busy ? t('personalLogin.busy') : notice && t(`personalLogin.${notice}`) }
                </p>
                { mode === 'password' && <LoginForm
                    buttonClass = { classes.button }
                    busy = { busy }
                    onSubmit = { onPassword }
                    problem = { problem } /> }
                { mode === 'token' && gateway && <button
                    aria-disabled = { busy }
                    className = { classes.button }
                    data-testid = 'personal-login.gateway'
                    onClick = { onGateway }
                    type = 'button'>
                    { t('personalLogin.tokenButton') }
                </button> }
            </div>
        </div>
    );
};

export default LoginPage;
