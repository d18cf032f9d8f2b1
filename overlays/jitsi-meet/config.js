/* eslint-disable comma-dangle, no-unused-vars, no-var, prefer-template, vars-on-top */

/*
 * Hardened configuration / Gehärtete Konfiguration.
 *
 * EN: This file takes the place of upstream's config.js. What is not here has upstream's default. Each setting that departs
 *     from upstream says why. It works without changes where bosh and websocket are served by the host of the page.
 *     Links, embedding pages and branding cannot override it, except for the looks: see docs/privacy.md.
 * DE: Diese Datei ersetzt die config.js von Upstream. Was hier fehlt, hat die Vorgabe von Upstream. Bei jeder Einstellung,
 *     die davon abweicht, steht der Grund. Sie gilt unverändert, wo bosh und websocket vom Host der Seite kommen.
 *     Links, einbettende Seiten und Branding können sie nicht ändern, außer im Aussehen: siehe docs/privacy.de.md.
 */

var subdir = '<!--# echo var="subdir" default="" -->';
var subdomain = '<!--# echo var="subdomain" default="" -->';

if (subdomain) {
    subdomain = subdomain.substr(0, subdomain.length - 1).split('.')
        .join('_')
        .toLowerCase() + '.';
}

// In case of no ssi provided by the webserver, use empty strings
if (subdir.startsWith('<!--')) {
    subdir = '';
}
if (subdomain.startsWith('<!--')) {
    subdomain = '';
}

// EN: The host of the page, not a name written into the file. Without SSI this file is run in a worker, where only the
//     origin tells it.
// DE: Der Host der Seite statt eines festen Namens. Ohne SSI läuft diese Datei in einem Worker, wo nur der Ursprung ihn nennt.
var pageOrigin = self.location.origin;
var pageHost = new URL(pageOrigin).hostname;

var config = {
    hosts: {
        domain: pageHost,
        muc: 'conference.' + subdomain + pageHost
    },
    bosh: pageOrigin + '/' + subdir + 'http-bind',
    websocket: pageOrigin.replace(/^http/, 'ws') + '/' + subdir + 'xmpp-websocket',

    // As upstream / wie Upstream
    bridgeChannel: {},
    testing: {},
    enableNoAudioDetection: true,
    enableNoisyMicDetection: true,
    channelLastN: -1,
    mouseMoveCallbackInterval: 1000,

    p2p: {
        // EN: Upstream: on. Where it is on, the browsers of two participants speak with each other directly: each learns the
        //     other's IP address, and each can name any address in the world, or in the other's own network, to which the
        //     other's browser then sends packets. Off, all media pass the operator's own video bridge, also between two, and
        //     so it has to be there. The bridge decrypts them, unless the participants switch on end-to-end encryption.
        // DE: Upstream: an. Ist es an, sprechen die Browser von zwei Teilnehmenden direkt miteinander: Beide erfahren die
        //     IP-Adresse der Gegenseite, und beide können jede Adresse im Internet oder im lokalen Netz der Gegenseite angeben,
        //     an die deren Browser dann Pakete sendet. Ist es aus, laufen Ton und Bild auch zu zweit über die Video-Bridge des
        //     Betreibers; es muss sie also geben. Die Bridge entschlüsselt beides, außer wenn die Teilnehmenden die
        //     Ende-zu-Ende-Verschlüsselung einschalten.
        enabled: false,

        // EN: Upstream: a STUN server of 8x8. Whoever asks it tells it the own address, and that there is a call now. The
        //     server announces its own STUN and TURN (XEP-0215), where there are some.
        // DE: Upstream: ein STUN-Server von 8x8. Er erfährt die eigene IP-Adresse und dass gerade eine Konferenz
        //     stattfindet. Der eigene Server nennt seine STUN- und TURN-Dienste selbst (XEP-0215), falls vorhanden.
        stunServers: []
    },

    // EN: Upstream: off or unset, but anything may be turned on. The code is not in this build; this says it to those who
    //     read. disableThirdPartyRequests is not set: what is left for it to switch off are avatars from avatarPaths.
    // DE: Upstream: aus oder nicht gesetzt, aber einschaltbar. Der Code fehlt in diesem Build; hier steht es zur Klarheit.
    //     disableThirdPartyRequests ist nicht gesetzt: Es würde nur noch Avatare aus avatarPaths abschalten.
    analytics: {
        disabled: true,
        rtcstatsEnabled: false
    },
    gravatar: { disabled: true },

    // EN: Upstream: any address. Folders of the own server from which avatars may be loaded, such as '/avatars/'. Participants
    //     choose the file; their choice makes every viewer's browser ask for it, so the folder holds pictures and nothing else.
    // DE: Upstream: jede Adresse. Ordner des eigenen Servers, aus denen Avatare geladen werden dürfen, etwa '/avatars/'. Welche
    //     Datei, bestimmen die Teilnehmenden, und die Browser aller anderen rufen sie ab; der Ordner enthält daher nur Bilder.
    avatarPaths: [],
    giphy: { enabled: false },
    faceLandmarks: {},
    whiteboard: { enabled: false },
    liveStreaming: { enabled: false },
    virtualBackground: { enableV2: false },

    // EN: Upstream: on. The room's address is not kept, and the e-mail address, which everybody in a room receives, is not
    //     asked for.
    // DE: Upstream: an. Die Adresse des Raums wird nicht gespeichert; nach der E-Mail-Adresse, die alle im Raum erfahren,
    //     wird nicht gefragt.
    doNotStoreRoom: true,
    hideEmailInSettings: true,

    // EN: Upstream: off. The name and e-mail are not put into statistics.
    // DE: Upstream: aus. Name und E-Mail-Adresse kommen nicht in Statistiken.
    enableDisplayNameInStats: false,
    enableEmailInStats: false,

    // EN: Upstream: phones are offered the app from a store. Here the page before a meeting offers the browser first and, on
    //     Android, the app from F-Droid; stores (downloadLink) are never linked. { disabled: true } leaves the page out.
    //     { android: { fDroidUrl: '' } } leaves F-Droid out, also in invitations; another address takes its place.
    // DE: Upstream: Mobilgeräten wird die App aus einem Store angeboten. Hier bietet die Seite vor der Konferenz zuerst den
    //     Browser an und unter Android die App aus F-Droid; auf Stores (downloadLink) wird nie verwiesen. { disabled: true }
    //     lässt die Seite weg. { android: { fDroidUrl: '' } } lässt F-Droid weg, auch in Einladungen; eine andere Adresse
    //     tritt an ihre Stelle.
    deeplinking: {},

    // EN: Upstream: may be turned on by a link. Logs hold names and addresses.
    // DE: Upstream: per Link einschaltbar. Protokolle enthalten Namen und Adressen.
    enableSaveLogs: false,

    // EN: A key of ours: the origins of pages that may embed the meeting and steer it (IFrame API), beside its own.
    //     Upstream: any page, and any page that opens a meeting in a new window.
    // DE: Ein eigener Schlüssel: Ursprünge von Seiten, die die Konferenz einbetten und steuern dürfen (IFrame API), neben dem
    //     eigenen. Upstream: jede Seite, auch jede, die eine Konferenz in einem neuen Fenster öffnet.
    embeddingAllowedOrigins: [],

    // EN: A key of ours: how people log in. mode is 'password' (accounts of the XMPP server) or 'token' (a JSON Web Token of
    //     your gateway); without it, tokenAuthUrl decides. userDomains are what people may type behind an "@" although it is
    //     no part of their user name. Nothing here switches the login off: see docs/operator.md#login.
    //     Upstream: whoever the server lets in, asked after camera and microphone.
    // DE: Ein eigener Schlüssel: wie man sich anmeldet. mode ist 'password' (Konten des XMPP-Servers) oder 'token' (ein JSON
    //     Web Token des eigenen Gateways); ohne ihn entscheidet tokenAuthUrl. userDomains sind Domänen, die hinter einem "@"
    //     getippt werden dürfen, ohne zum Benutzernamen zu gehören. Nichts hier schaltet die Anmeldung ab: siehe docs/operator.md#login.
    //     Upstream überlässt die Zulassung dem Server und fragt erst nach der Freigabe von Kamera und Mikrofon.
    // EN: help is whom people without an account may ask, shown on the login page: a text, an address ('help@example.org',
    //     'https://…', 'tel:…'), or both: { text: 'Ask our front desk', url: 'tel:+4930123456' }
    // DE: help nennt auf der Anmeldeseite, an wen sich Personen ohne Konto wenden können: ein Text, eine Adresse
    //     ('hilfe@example.org', 'https://…', 'tel:…') oder beides: { text: 'Unser Empfang hilft', url: 'tel:+4930123456' }
    personalLogin: {
        userDomains: [],
        help: ''
    },

    // EN: A key of ours: who runs this service, shown on the login page. logo is a picture on this server, such as
    //     'images/our-logo.svg'; one of another host is not loaded.
    // DE: Ein eigener Schlüssel: wer diesen Dienst betreibt; die Anmeldeseite zeigt es. logo ist ein Bild auf diesem Server,
    //     zum Beispiel 'images/unser-logo.svg'; eines von einem anderen Host wird nicht geladen.
    operator: {
        name: '',
        logo: ''
    },

    // EN: Upstream: pages of jitsi.org and 8x8. Name your own: { privacy: '...', imprint: '...', accessibility: '...',
    //     terms: '...', helpCentre: '...' }. imprint and accessibility are keys of ours. The first four are linked before the
    //     login and on the welcome page. In the EU you need privacy (Art. 13 GDPR), in Germany also imprint (§ 5 DDG);
    //     public bodies need accessibility.
    // DE: Upstream: Seiten von jitsi.org und 8x8. Die eigenen nennen: { privacy: '...', imprint: '...', accessibility: '...',
    //     terms: '...', helpCentre: '...' }. imprint und accessibility sind eigene Schlüssel. Die ersten vier sind vor der
    //     Anmeldung und auf der Startseite verlinkt. Erforderlich sind privacy (Art. 13 DSGVO) und imprint (§ 5 DDG), für
    //     öffentliche Stellen auch accessibility (§ 12b BGG, BITV 2.0).
    legalUrls: {}
};
