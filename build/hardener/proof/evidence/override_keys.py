"""The keys that upstream lets a link override (configWhitelist.ts and its kin at the pin), with hostile values.

``tests/unit/proof/evidence/test_attacks.py`` compares the list with upstream's files if the work trees exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONFIG: tuple[str, ...] = tuple(
    """
_desktopSharingSourceDevice _peerConnStatusOutOfLastNTimeout _peerConnStatusRtcMuteTimeout analytics.disabled
analytics.rtcstatsEnabled analytics.watchRTCEnabled audioLevelsInterval audioQuality autoKnockLobby apiLogLevels
avgRtpStatsN backgroundAlpha brandingRoomAlias breakoutRooms bridgeChannel buttonsWithNotifyClick
callDisplayName callFlowsEnabled callHandle callUUID cameraFacingMode conferenceInfo channelLastN
connectionIndicators constraints deeplinking.disabled deeplinking.desktop.enabled defaultLocalDisplayName
defaultRemoteDisplayName desktopSharingFrameRate desktopSharingSources disable1On1Mode disableAEC disableAGC
disableAP disableAddingBackgroundImages disableAudioLevels disableBeforeUnloadHandlers
disableCameraTintForeground disableChat disableChatSmileys disableDeepLinking disabledNotifications
disabledSounds disableFilmstripAutohiding disableFocus disableInitialGUM disableInviteFunctions
disableIncomingMessageSound disableJoinLeaveSounds disableLocalVideoFlip disableModeratorIndicator disableNS
disablePolls disableProfile disableReactions disableReactionsInChat disableReactionsModeration
disableRecordAudioNotification disableRemoteControl disableRemoteMute disableResponsiveTiles disableRtx
disableSelfDemote disableSelfView disableSelfViewSettings disableShortcuts disableShowMoreStats
disableRemoveRaisedHandOnFocus disableSpeakerStatsSearch speakerStatsOrder disableSimulcast
disableThirdPartyRequests disableTileView disableTileEnlargement disableVirtualBackground displayJids
doNotStoreRoom doNotFlipLocalVideo dropbox.appKey e2eeLabels e2ee e2eping enableCalendarIntegration
enableDisplayNameInStats enableEmailInStats enableEncodedTransformSupport enableInsecureRoomNameWarning
enableLobbyChat enableOpusRed enableRemb enableSaveLogs enableTalkWhileMuted enableNoAudioDetection
enableNoisyMicDetection enableTcc faceLandmarks feedbackPercentage fileSharing.enabled filmstrip flags
forceTurnRelay gatherStats giphy googleApiApplicationClientID gravatar.disabled hiddenPremeetingButtons
hideConferenceSubject hideDisplayName hideDominantSpeakerBadge hideRecordingLabel hideParticipantsStats
hideConferenceTimer hideAddRoomButton hideEmailInSettings hideLobbyButton iAmRecorder iAmSipGateway iAmSpot
ignoreStartMuted inviteAppName liveStreaming.enabled liveStreamingEnabled lobby localRecording localSubject
logging mainToolbarButtons maxFullResolutionParticipants mouseMoveCallbackInterval notifications
notificationTimeouts notifyOnConferenceDestruction openSharedDocumentOnJoin opusMaxAverageBitrate
p2p.backToP2PDelay p2p.codecPreferenceOrder p2p.enabled p2p.iceTransportPolicy p2p.mobileCodecPreferenceOrder
p2p.mobileScreenshareCodec participantMenuButtonsWithNotifyClick participantsPane pcStatsInterval pip preferBosh
preferVisitor prejoinConfig.enabled prejoinConfig.hideDisplayName prejoinConfig.hideExtraJoinButtons raisedHands
recordingService requireDisplayName remoteVideoMenu roomPasswordNumberOfDigits readOnlyName
recordings.recordAudioAndVideo recordings.showPrejoinWarning recordings.showRecordingLink
recordings.suggestRecording reducedUIEnabled reducedUImainToolbarButtons replaceParticipant resolution
screenshotCapture securityUi showChatPermissionsModeratorSetting speakerStats startAudioMuted startAudioOnly
startLastN startScreenSharing startSilent startVideoMuted startWithAudioMuted startWithVideoMuted stereo subject
testing toolbarButtons toolbarConfig tileView transcribingEnabled transcription useHostPageLocalStorage
useTurnUdp videoQuality visitors.enableMediaOnPromote visitors.hideVisitorCountForVisitors
visitors.showJoinMeetingDialog watchRTCConfigParams.allowBrowserLogCollection
watchRTCConfigParams.collectionInterval watchRTCConfigParams.console watchRTCConfigParams.debug
watchRTCConfigParams.keys watchRTCConfigParams.logGetStats watchRTCConfigParams.rtcApiKey
watchRTCConfigParams.rtcPeerId watchRTCConfigParams.rtcRoomId watchRTCConfigParams.rtcTags
watchRTCConfigParams.rtcToken webrtcIceTcpDisable webrtcIceUdpDisable whiteboard.enabled
""".split()
)
# Further keys where the page is embedded.
EMBEDDED: tuple[str, ...] = tuple(
    """
customToolbarButtons defaultLogoUrl deploymentUrls liveStreaming
""".split()
)
INTERFACE: tuple[str, ...] = tuple(
    """
AUDIO_LEVEL_PRIMARY_COLOR AUDIO_LEVEL_SECONDARY_COLOR AUTO_PIN_LATEST_SCREEN_SHARE CLOSE_PAGE_GUEST_HINT
CONNECTION_INDICATOR_AUTO_HIDE_ENABLED CONNECTION_INDICATOR_AUTO_HIDE_TIMEOUT CONNECTION_INDICATOR_DISABLED
DEFAULT_BACKGROUND DISABLE_PRESENCE_STATUS DISABLE_JOIN_LEAVE_NOTIFICATIONS DEFAULT_LOCAL_DISPLAY_NAME
DEFAULT_REMOTE_DISPLAY_NAME DISABLE_DOMINANT_SPEAKER_INDICATOR DISABLE_FOCUS_INDICATOR DISABLE_PRIVATE_MESSAGES
DISABLE_TRANSCRIPTION_SUBTITLES DISABLE_VIDEO_BACKGROUND DISPLAY_WELCOME_PAGE_CONTENT ENABLE_DIAL_OUT
FILM_STRIP_MAX_HEIGHT GENERATE_ROOMNAMES_ON_WELCOME_PAGE INDICATOR_FONT_SIZES INITIAL_TOOLBAR_TIMEOUT
LANG_DETECTION LOCAL_THUMBNAIL_RATIO MAXIMUM_ZOOMING_COEFFICIENT NATIVE_APP_NAME OPTIMAL_BROWSERS
PHONE_NUMBER_REGEX PROVIDER_NAME RECENT_LIST_ENABLED REMOTE_THUMBNAIL_RATIO SETTINGS_SECTIONS SHARING_FEATURES
SHOW_CHROME_EXTENSION_BANNER SHOW_POWERED_BY TILE_VIEW_MAX_COLUMNS TOOLBAR_ALWAYS_VISIBLE TOOLBAR_BUTTONS
TOOLBAR_TIMEOUT UNSUPPORTED_BROWSERS VERTICAL_FILMSTRIP VIDEO_LAYOUT_FIT VIDEO_QUALITY_LABEL_DISABLED
""".split()
)

SIZE = 16
FEW = 4
# Some of these end a call before it begins; they go last, a few at a time, so that they do not hide what others do.
BREAKERS = frozenset(
    """
enableInsecureRoomNameWarning
disableFocus disableInitialGUM iAmRecorder iAmSipGateway iAmSpot preferBosh preferVisitor replaceParticipant
forceTurnRelay reducedUIEnabled disableDeepLinking deeplinking.disabled deeplinking.desktop.enabled requireDisplayName
constraints flags testing p2p.iceTransportPolicy toolbarConfig
OPTIMAL_BROWSERS UNSUPPORTED_BROWSERS
""".split()
)
_NUMBERS = frozenset(
    """
audioLevelsInterval avgRtpStatsN channelLastN desktopSharingFrameRate feedbackPercentage
maxFullResolutionParticipants mouseMoveCallbackInterval opusMaxAverageBitrate p2p.backToP2PDelay pcStatsInterval
resolution roomPasswordNumberOfDigits startAudioMuted startLastN startVideoMuted backgroundAlpha
_peerConnStatusOutOfLastNTimeout _peerConnStatusRtcMuteTimeout watchRTCConfigParams.collectionInterval
CONNECTION_INDICATOR_AUTO_HIDE_TIMEOUT FILM_STRIP_MAX_HEIGHT INITIAL_TOOLBAR_TIMEOUT TOOLBAR_TIMEOUT
LOCAL_THUMBNAIL_RATIO REMOTE_THUMBNAIL_RATIO MAXIMUM_ZOOMING_COEFFICIENT TILE_VIEW_MAX_COLUMNS
""".split()
)
_OBJECTS = frozenset(
    """
audioQuality breakoutRooms bridgeChannel conferenceInfo connectionIndicators constraints e2ee e2eeLabels e2eping
faceLandmarks filmstrip flags giphy lobby localRecording logging notificationTimeouts participantsPane pip
raisedHands recordingService remoteVideoMenu screenshotCapture securityUi speakerStats testing tileView
toolbarConfig transcription videoQuality watchRTCConfigParams.keys
""".split()
)
_LISTS = frozenset(
    """
apiLogLevels buttonsWithNotifyClick desktopSharingSources disabledNotifications disabledSounds
hiddenPremeetingButtons mainToolbarButtons p2p.codecPreferenceOrder p2p.mobileCodecPreferenceOrder
participantMenuButtonsWithNotifyClick reducedUImainToolbarButtons speakerStatsOrder toolbarButtons
prejoinConfig.hideExtraJoinButtons watchRTCConfigParams.rtcTags
INDICATOR_FONT_SIZES OPTIMAL_BROWSERS SETTINGS_SECTIONS TOOLBAR_BUTTONS UNSUPPORTED_BROWSERS notifications
""".split()
)
_TEXTS = frozenset(
    """
brandingRoomAlias callDisplayName callHandle callUUID cameraFacingMode defaultLocalDisplayName
defaultRemoteDisplayName inviteAppName localSubject subject dropbox.appKey googleApiApplicationClientID
_desktopSharingSourceDevice p2p.mobileScreenshareCodec p2p.iceTransportPolicy watchRTCConfigParams.rtcApiKey
watchRTCConfigParams.rtcPeerId watchRTCConfigParams.rtcRoomId watchRTCConfigParams.rtcToken
AUDIO_LEVEL_PRIMARY_COLOR AUDIO_LEVEL_SECONDARY_COLOR DEFAULT_BACKGROUND DEFAULT_LOCAL_DISPLAY_NAME
DEFAULT_REMOTE_DISPLAY_NAME NATIVE_APP_NAME PROVIDER_NAME PHONE_NUMBER_REGEX VIDEO_LAYOUT_FIT
""".split()
)
# Where the way of the switch is known, the value is the one that opens most.
_KNOWN: dict[str, Any] = {
    "apiLogLevels": ["debug", "info", "log", "warn", "error"],
    "toolbarButtons": ["microphone", "camera", "chat", "invite", "hangup", "settings", "reactions", "whiteboard"],
    "mainToolbarButtons": [["microphone", "camera", "chat", "hangup"]],
    "giphy": {"enabled": True, "sdkKey": "k", "displayMode": "all", "tileTime": 5000},
    "faceLandmarks": {
        "enableFaceCentering": True,
        "enableFaceExpressionsDetection": True,
        "enableDisplayFaceExpressions": True,
        "enableRTCStats": True,
    },
    "disableThirdPartyRequests": False,
    "analytics.disabled": False,
    "gravatar.disabled": False,
    "prejoinConfig.enabled": True,
    "p2p.enabled": True,
    "startSilent": False,
    "useHostPageLocalStorage": True,
    "SETTINGS_SECTIONS": ["devices", "language", "moderator", "profile", "calendar", "sounds", "more"],
    "TOOLBAR_BUTTONS": ["microphone", "camera", "chat", "hangup", "etherpad", "sharedvideo", "livestreaming"],
}


def hostile(key: str) -> Any:
    """Return the value that a hostile link gives a key: what turns things on, and addresses and markup that lead
    elsewhere.

    >>> hostile("disableThirdPartyRequests"), hostile("enableSaveLogs"), hostile("disableChat")
    (False, True, False)
    >>> hostile("subject")
    '<img src=https://subject.evil.example/x.png>'
    """
    if key in _KNOWN:
        return _KNOWN[key]
    host = f"https://{key.replace('.', '-').replace('_', '-').strip('-').lower()}.evil.example"
    if key in _NUMBERS:
        return 1
    if key in _LISTS:
        return [f"{host}/x"]
    if key in _OBJECTS:
        return {"enabled": True, "disabled": False, "url": f"{host}/", "baseUrl": f"{host}/", "endpoint": f"{host}/"}
    if key in _TEXTS:
        return f"<img src={host}/x.png>"
    return not key.startswith("disable")


def groups(keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield all keys, some at a time, those that may end calls last."""
    tame = [key for key in keys if key not in BREAKERS]
    for some, size in ((tame, SIZE), ([key for key in keys if key in BREAKERS], FEW)):
        for at in range(0, len(some), size):
            yield tuple(some[at : at + size])
