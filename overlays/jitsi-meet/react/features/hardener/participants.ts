/*
 * Keeps people and things apart in the list of participants. Shared screens and the whiteboard are in it under names of
 * their own (a source's name, "whiteboard"), and a server may let a person in under the same name. Then the person is
 * shown: who is shown is who is in. Called by stanzas-people-before-things.patch.
 */

import { AnyAction } from 'redux';

import type { IParticipantsState } from '../base/participants/reducer';
import { FakeParticipant } from '../base/participants/types';

/**
 * Looks at a join or a leave of a thing under a person's name, and at the join of a person under a thing's name.
 *
 * @param {IParticipantsState} state - The participants.
 * @param {AnyAction} action - PARTICIPANT_JOINED or PARTICIPANT_LEFT.
 * @returns {IParticipantsState|undefined} - The participants after an action of a thing that must not touch the person.
 */
export function keepApart(state: IParticipantsState, action: AnyAction): IParticipantsState | undefined {
    const { fakeParticipant, id, local } = action.participant;
    const joins = action.type === 'PARTICIPANT_JOINED';
    const present = state.remote.get(id);

    if (!present || local || Boolean(present.fakeParticipant) === Boolean(fakeParticipant)) {
        return;
    }
    if (fakeParticipant) {
        // The viewer's own screen is not in the list; only its end would be looked for there.
        const isOwnScreen = fakeParticipant === FakeParticipant.LocalScreenShare;

        return isOwnScreen && joins ? undefined : {
            ...state,
            localScreenShare: isOwnScreen ? undefined : state.localScreenShare
        };
    }
    if (joins) {
        const { pinnedParticipant, sortedRemoteVirtualScreenshareParticipants } = state;

        state.fakeParticipants.delete(id);
        state.pinnedParticipant = pinnedParticipant === id ? undefined : pinnedParticipant;
        state.sortedRemoteVirtualScreenshareParticipants
            = new Map(Array.from(sortedRemoteVirtualScreenshareParticipants).filter(([ name ]) => name !== id));
    }
}
