import { isEqual } from 'lodash-es';
import React, { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useDispatch, useSelector, useStore } from 'react-redux';
import { makeStyles } from 'tss-react/mui';

import { IReduxState, IStore } from '../../app/types';
import { safeDecodeURIComponent } from '../../base/util/uri';
import LegalLinks from '../../hardener/components/LegalLinks';
import { getHelp, getOperatorLogo, getOperatorName } from '../../hardener/operator';
import { languageOfOurTexts } from '../../hardener/ownTexts';
import { ILeft, askGateway, signInAsRecorder, signInWithPassword, signInWithToken } from '../actions';
import { getLoginMode } from '../functions';
import { useUpRecorderAccount } from '../recorder';
import { Problem } from '../verify';

import LanguageChoice from './LanguageChoice';
import LoginForm from './LoginForm';

const useStyles = makeStyles()(theme => {
    return {
        page: {
            background: theme.palette.uiBackground,
            boxSizing: 'border-box',
            color: theme.palette.text01,
            display: 'flex',
            inset: 0,
            overflow: 'auto',
            padding: theme.spacing(3),
            position: 'absolute'
        },
        main: {
            display: 'flex',
            flexDirection: 'column',
            gap: theme.spacing(4),
            margin: 'auto',
            maxWidth: '100%',
            minWidth: 0,
            width: '400px'
        },
        beside: {
            // Screens of laptops are too low for one column: the operator's pages are visible without scrolling there.
            '@media (min-width: 900px) and (max-height: 899px)': {
                columnGap: theme.spacing(6),
                display: 'grid',
                gridTemplateColumns: 'minmax(0, 1fr) minmax(0, 1fr)',
                gridTemplateRows: '1fr 1fr',
                width: '832px',

                '& > :nth-child(1)': {
                    alignSelf: 'end'
                },
                '& > :nth-child(2)': {
                    gridColumn: 2,
                    gridRow: '1 / 3'
                }
            }
        },
        operator: {
            ...theme.typography.bodyShortBoldLarge,
            alignItems: 'center',
            display: 'flex',
            flexDirection: 'column',
            gap: theme.spacing(3),
            margin: 0,
            overflowWrap: 'anywhere',
            textAlign: 'center',

            '& img': {
                maxHeight: '96px',
                maxWidth: '100%',

                // The logo is made for the dark page, which forced colours make light.
                '@media (forced-colors: active)': {
                    background: theme.palette.uiBackground,
                    borderRadius: theme.shape.borderRadius,
                    forcedColorAdjust: 'none',
                    padding: theme.spacing(2)
                }
            }
        },
        card: {
            background: theme.palette.dialogBackground,
            border: `1px solid ${theme.palette.dialogBorder}`,
            borderRadius: theme.shape.borderRadius,
            boxSizing: 'border-box',
            padding: theme.spacing(5)
        },
        title: {
            ...theme.typography.heading4,
            color: theme.palette.text01,
            hyphens: 'auto',
            margin: 0,
            overflowWrap: 'anywhere',

            // Forced colours drop shadows and draw outlines, the transparent ones as well.
            '&:focus': {
                outline: '2px solid transparent'
            }
        },
        text: {
            ...theme.typography.bodyShortRegularLarge,
            margin: `${theme.spacing(3)} 0`,
            overflowWrap: 'anywhere'
        },
        message: {
            ...theme.typography.bodyShortRegularLarge,
            borderLeft: `4px solid ${theme.palette.action01}`,
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
            borderLeftColor: theme.palette.textError,
            color: theme.palette.textError
        },
        button: {
            ...theme.typography.bodyShortBoldLarge,
            background: theme.palette.action01,
            border: '1px solid transparent',
            borderRadius: theme.shape.borderRadius,
            color: theme.palette.text01,
            cursor: 'pointer',
            minHeight: '48px',
            padding: theme.spacing(2, 3),
            width: '100%',

            '&:hover': {
                background: theme.palette.action01Hover
            },
            '&:focus-visible': {
                boxShadow: `0 0 0 2px ${theme.palette.uiBackground}, 0 0 0 4px ${theme.palette.text01}`,
                outline: '2px solid transparent'
            },
            '&[aria-disabled="true"]': {
                cursor: 'progress',
                opacity: 0.8
            }
        },
        help: {
            ...theme.typography.bodyShortRegular,
            margin: `${theme.spacing(4)} 0 0`,
            overflowWrap: 'anywhere',

            '& a': {
                color: 'inherit',
                textDecoration: 'underline'
            },
            '& a:focus-visible': {
                boxShadow: `0 0 0 2px ${theme.palette.focus01}`,
                outline: '2px solid transparent'
            }
        },
        footer: {
            display: 'flex',
            flexDirection: 'column',
            gap: theme.spacing(3)
        }
    };
});

/**
 * Returns what was left for us when the page was loaded again; it is shown once.
 *
 * @returns {Object}
 */
function takeLeft(): ILeft {
    const { personalLogin, ...others } = Object(window.history.state);
    const { notice, user } = Object(personalLogin);

    personalLogin && window.history.replaceState(others, '');

    return {
        notice: notice === 'ended' || notice === 'signedOut' ? notice : undefined,
        user: typeof user === 'string' ? user : undefined
    };
}

/**
 * Renders the login page: shown in the place of a meeting, before anything of it is loaded or asked for, until the server
 * has accepted a login.
 *
 * @returns {ReactElement}
 */
const LoginPage = () => {
    const { classes, cx } = useStyles();
    const { t } = useTranslation();
    const dispatch: IStore['dispatch'] = useDispatch();
    const { getState } = useStore<IReduxState>();
    const mode = useSelector(getLoginMode);
    const help = useSelector(getHelp, isEqual);
    const logo = useSelector(getOperatorLogo);
    const operator = useSelector(getOperatorName);

    // As it was typed or sent: upstream's name of a conference has spaces that the room has not.
    const room = useSelector((state: IReduxState) => safeDecodeURIComponent(state['features/base/conference'].room ?? ''));
    const gateway = useSelector((state: IReduxState) => Boolean(state['features/base/config'].tokenAuthUrl));
    const [ left ] = useState(takeLeft);
    const [ notice, setNotice ] = useState(left.notice);
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
            const reasons: Record<Problem | 'tokenUnusable', string> = {
                blocked: 'blocked',
                passwordNotAllowed: 'passwordNotAllowed',
                refused,
                tokenUnusable: 'tokenUnusable',
                undecided: 'undecided',
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
        } else if (mode === 'token' && jwt) {
            attempt(() => dispatch(signInWithToken()), 'tokenRefused');
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

    const message = (
        <p
            className = { cx(classes.message, classes.problem) }
            data-testid = 'personal-login.problem'
            id = 'personal-login-problem'
            role = 'alert'>
            { problem && t(`personalLogin.${problem}`) }
        </p>
    );

    return (
        <div
            className = { classes.page }
            data-testid = 'personal-login'>
            <div className = { cx(classes.main, (logo || operator) && classes.beside) }>
                { (logo || operator) && <p
                    className = { classes.operator }
                    data-testid = 'personal-login.operator'>
                    { logo && <img
                        alt = { operator ? '' : interfaceConfig.APP_NAME }
                        src = { logo } /> }
                    { operator }
                </p> }
                <div
                    { ...languageOfOurTexts('personalLogin.title') }
                    className = { classes.card }>
                    <h1
                        aria-describedby = { notice && 'personal-login-status' }
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
                        className = { classes.message }
                        data-testid = 'personal-login.status'
                        id = 'personal-login-status'
                        role = 'status'>
                        { busy ? t('personalLogin.busy') : notice && t(`personalLogin.${notice}`) }
                    </p>
                    { mode === 'password' ? <LoginForm
                        busy = { busy }
                        buttonClass = { classes.button }
                        message = { message }
                        noticed = { Boolean(notice) }
                        onSubmit = { onPassword }
                        problem = { problem }
                        user = { left.user } /> : message }
                    { mode === 'token' && gateway && <button
                        aria-disabled = { busy }
                        className = { classes.button }
                        data-testid = 'personal-login.gateway'
                        onClick = { onGateway }
                        type = 'button'>
                        { t('personalLogin.tokenButton') }
                    </button> }
                    { help && <p
                        className = { classes.help }
                        data-testid = 'personal-login.help'>
                        { t('personalLogin.help') }
                        { ' ' }
                        { typeof help === 'string' ? help : <a
                            href = { help.href }
                            rel = 'noopener noreferrer'
                            target = '_blank'>
                            { help.text }
                        </a> }
                    </p> }
                </div>
                <div className = { classes.footer }>
                    <LanguageChoice />
                    <LegalLinks />
                </div>
            </div>
        </div>
    );
};

export default LoginPage;
