/*
 * hardener: what a phone or tablet shows before a meeting. Upstream offers the app, then its page in a store, and the
 * browser as a last link. Here the browser comes first; on Android the app from F-Droid follows. There is no link to a
 * store, whatever is configured as `downloadLink`, and no dial-in number: the person has not signed in yet.
 */
import { Theme } from '@mui/material';
import React, { useCallback } from 'react';
import { WithTranslation } from 'react-i18next';
import { useDispatch, useSelector } from 'react-redux';
import { makeStyles } from 'tss-react/mui';

import { IReduxState } from '../../app/types';
import { isSupportedMobileBrowser } from '../../base/environment/environment';
import { translate } from '../../base/i18n/functions';
import Platform from '../../base/react/Platform.web';
import Button from '../../base/ui/components/web/Button';
import { safeDecodeURIComponent } from '../../base/util/uri';
import LegalLinks from '../../hardener/components/LegalLinks';
import { getFDroidURL, getInstalledAppURL } from '../../hardener/mobileApp';
import { languageOfOurTexts } from '../../hardener/ownTexts';
import { openWebApp } from '../actions';

const useStyles = makeStyles()((theme: Theme) => {
    return {
        page: {
            background: theme.palette.deepLinkingBackground,
            color: theme.palette.deepLinkingText,
            display: 'flex',
            height: '100dvh',
            justifyContent: 'center',
            overflowY: 'auto',
            width: '100vw'
        },
        content: {
            alignItems: 'center',
            boxSizing: 'border-box',
            display: 'flex',
            flexDirection: 'column',
            gap: 24,
            maxWidth: 410,
            padding: '24px 40px',
            textAlign: 'center',
            width: '100%'
        },
        logo: {
            maxWidth: '100%'
        },
        title: {
            color: theme.palette.deepLinkingText, // css/ has a dark one for headings
            margin: 0,
            ...theme.typography.heading5
        },
        room: {
            overflowWrap: 'anywhere',
            ...theme.typography.bodyLongRegularLarge
        },
        note: {
            color: theme.palette.deepLinkingLabelText,
            margin: 0,
            ...theme.typography.bodyShortRegularLarge
        },
        link: {
            color: theme.palette.deepLinkingLink,
            ...theme.typography.bodyLongBoldLarge
        }
    };
});

const DeepLinkingMobilePage = ({ t }: WithTranslation) => {
    const { classes } = useStyles();
    const dispatch = useDispatch();
    const hideLogo = useSelector((state: IReduxState) => state['features/base/config'].deeplinking?.hideLogo);
    const room = useSelector((state: IReduxState) => state['features/base/conference'].room ?? '');
    const fDroidUrl = useSelector(getFDroidURL);
    const installedAppUrl = useSelector(getInstalledAppURL);
    const withApp = Platform.OS === 'android' && fDroidUrl;
    const onJoinInBrowser = useCallback(() => dispatch(openWebApp()), [ dispatch ]);

    return (
        <div className = { classes.page }>
            <div className = { classes.content }>
                { !hideLogo && <img
                    alt = { t('welcomepage.logo.logoDeepLinking') }
                    className = { classes.logo }
                    src = 'images/logo-deep-linking-mobile.png' /> }
                <h1 className = { classes.title }>{ t('deepLinking.launchMeetingLabel') }</h1>
                <div className = { classes.room }>{ safeDecodeURIComponent(room) }</div>
                { isSupportedMobileBrowser()
                    ? <Button
                        fullWidth = { true }
                        label = { t('deepLinking.joinInBrowser') }
                        onClick = { onJoinInBrowser }
                        testId = 'hardener.joinInBrowser' />
                    : <p className = { classes.note }>{ t('deepLinking.unsupportedBrowser') }</p> }
                { withApp && <>
                    <a
                        { ...languageOfOurTexts('hardenedMobile.fDroid') }
                        className = { classes.link }
                        href = { fDroidUrl }
                        rel = 'noopener noreferrer'
                        target = '_blank'>
                        { t('hardenedMobile.fDroid') }
                    </a>
                    <a
                        { ...languageOfOurTexts('hardenedMobile.openApp') }
                        className = { classes.link }
                        href = { installedAppUrl }>
                        { t('hardenedMobile.openApp') }
                    </a>
                </> }
                <p
                    { ...languageOfOurTexts('hardenedMobile.storeNoteBrowser') }
                    className = { classes.note }>
                    { t(withApp ? 'hardenedMobile.storeNoteAndroid' : 'hardenedMobile.storeNoteBrowser') }
                </p>
                <LegalLinks />
            </div>
        </div>
    );
};

export default translate(DeepLinkingMobilePage);
