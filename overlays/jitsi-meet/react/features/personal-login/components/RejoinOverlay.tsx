import React, { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { useDispatch, useSelector } from 'react-redux';

import { IReduxState, IStore } from '../../app/types';
import Button from '../../base/ui/components/web/Button';
import { BUTTON_TYPES } from '../../base/ui/constants.web';
import { languageOfOurTexts } from '../../hardener/ownTexts';
import OverlayFrame from '../../overlay/components/web/OverlayFrame';
import { logOut } from '../actions';
import { getWaiting } from '../rejoin';

/**
 * Shows why the meeting is interrupted while the page connects again. It takes the place of upstream's countdown to a
 * reload, which would forget the login, by login-rejoin.patch.
 *
 * @returns {ReactElement}
 */
const RejoinOverlay = () => {
    const { t } = useTranslation();
    const dispatch: IStore['dispatch'] = useDispatch();
    const waiting = useSelector(getWaiting);
    const onClick = useCallback(() => {
        dispatch(logOut());
    }, []);

    return (
        <OverlayFrame isLightOverlay = { true }>
            <div
                { ...languageOfOurTexts('personalLogin.waitingTitle') }
                aria-describedby = 'rejoin_overlay_text'
                aria-labelledby = 'rejoin_overlay_title'
                className = 'inlay'
                data-testid = 'personal-login.waiting'
                role = 'alertdialog'>
                <span
                    aria-level = { 1 }
                    className = 'reload_overlay_title'
                    id = 'rejoin_overlay_title'
                    role = 'heading'>
                    { t('personalLogin.waitingTitle') }
                </span>
                <span
                    className = 'reload_overlay_text'
                    id = 'rejoin_overlay_text'>
                    { t(`personalLogin.${waiting ?? 'lost'}`) }
                </span>
                <Button
                    label = { t('personalLogin.signOut') }
                    onClick = { onClick }
                    type = { BUTTON_TYPES.SECONDARY } />
            </div>
        </OverlayFrame>
    );
};

RejoinOverlay.needsRender = (state: IReduxState) => Boolean(getWaiting(state));

export default RejoinOverlay;
