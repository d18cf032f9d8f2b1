/*
 * hardener: upstream's second inline script of index.html, so that the Content-Security-Policy needs no hash.
 * Where a file is missing, or not the one that the page names (integrity), the message is built from elements: the
 * policy refuses style attributes in markup.
 */
window.indexLoadedTime = window.performance.now();
console.log('(TIME) index.html loaded:\t', window.indexLoadedTime);
window.addEventListener('load', () => {
    window.loadedEventTime = window.performance.now();
    console.log('(TIME) window loaded event:\t', window.loadedEventTime);
});

(() => {
    const criticalFiles = [
        'config.js',
        'interface_config.js',
        'static/hardener/address.js',
        'static/hardener/index.js',
        'lib-jitsi-meet.min.js',
        'app.bundle.min.js',
        'all.css'
    ];

    /**
     * Makes an element.
     *
     * @param {HTMLElement} parent - Where it goes.
     * @param {string} name - The name of the element.
     * @param {string} text - What it says.
     * @param {Object} style - How it looks.
     * @returns {HTMLElement}
     */
    function add(parent, name, text, style) {
        const element = document.createElement(name);

        element.textContent = text;
        Object.assign(element.style, style);
        parent.append(element);

        return element;
    }

    /**
     * Returns the page's address with a counter of attempts that is one higher, and the attempts so far.
     *
     * @returns {Array}
     */
    function nextAttempt() {
        const url = new URL(window.location.href);
        const attempts = Number.parseInt(url.searchParams.get('rCounter') ?? '0', 10) || 0;

        url.searchParams.set('rCounter', attempts + 1);

        return [ url.href, attempts ];
    }

    /**
     * Says that a file is missing, and loads the page again after a while: 2 s, 4 s, 8 s ...
     *
     * @param {string} missing - The address of the file.
     * @returns {void}
     */
    function report(missing) {
        const [ href, attempts ] = nextAttempt();
        const exponential = Math.pow(2, attempts) * 2000;
        const delay = exponential < 2000 || exponential > 60000 ? 10000 : exponential;

        document.body.replaceChildren();

        const box = add(document.body, 'div', '', {
            fontSize: 'medium',
            left: '50%',
            position: 'absolute',
            textAlign: 'center',
            top: '50%',
            transform: 'translate(-50%, -50%)'
        });

        add(box, 'p', 'Uh oh! We couldn\'t fully download everything we needed :(', {});
        add(box, 'p',
            'We will try again shortly. In the mean time, check for problems with your Internet connection!', {});
        add(box, 'p', 'Die Seite konnte nicht vollständig geladen werden. Wir versuchen es gleich noch einmal. '
            + 'Bitte prüfen Sie inzwischen Ihre Internetverbindung.', {}).lang = 'de';
        add(box, 'p', `Missing or changed: ${missing}`, { fontSize: 'small' });
        add(box, 'a', 'reload now / jetzt neu laden', { fontSize: 'small' }).href = href;

        window.setTimeout(() => window.location.replace(href), delay);
    }

    /**
     * Waits for a script or style sheet that does not load.
     *
     * @param {Event} event - The error.
     * @returns {void}
     */
    function onError({ target }) {
        const missing = target.src || target.href || '';

        if ([ 'SCRIPT', 'LINK' ].includes(target.tagName) && criticalFiles.some(file => missing.includes(file))) {
            window.removeEventListener('error', onError, true);
            window.removeEventListener('load', onLoad);
            window.addEventListener('load', () => report(missing));
        }
    }

    /**
     * Looks for a style sheet that is not in force. A browser reports one with a wrong integrity sometimes later than
     * it reports the page as loaded.
     *
     * @returns {void}
     */
    function onLoad() {
        const links = Array.from(document.querySelectorAll('link[rel=stylesheet]'));
        const link = links.find(({ href, sheet }) => !sheet && criticalFiles.some(file => href.includes(file)));

        if (link) {
            window.removeEventListener('error', onError, true);
            report(link.href);
        }
    }

    window.addEventListener('load', onLoad);
    window.addEventListener('error', onError, true);
})();
