/*
 * Looks at what a bundler has written: ECMAScript level and size of each script, licence comments, what a library exports
 * to whom, and what upstream's configuration says about its bundles. `hardener compare` holds two of these together.
 */
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const { fail, runJob } = require('./job.cjs');
const { readStatically } = require('./upstream-config.cjs');

/** The newest ECMAScript that the pinned acorn knows. */
const LATEST = 2026;

/** Milliseconds after which a library that is being loaded hangs. */
const PATIENCE = 20000;

/** What a library may look for in a browser while it is loaded, besides what Node has itself. It gets something inert. */
const BROWSER = [ 'DOMParser', 'HTMLElement', 'MediaStream', 'RTCPeerConnection', 'WebSocket', 'XMLHttpRequest', 'XMLSerializer',
    'document', 'fetch', 'localStorage', 'location', 'navigator', 'sessionStorage' ];
const NODE = [ 'AbortController', 'Blob', 'Event', 'EventTarget', 'TextDecoder', 'TextEncoder', 'URL', 'URLSearchParams' ];

/** Stands in for all of a browser: every member of it, call of it and thing made by it is itself. */
const inert = new Proxy(function() {}, { // eslint-disable-line func-names
    apply: () => inert,
    construct: () => inert,
    get: (_, key) => key === Symbol.toPrimitive ? () => '' : key === Symbol.iterator ? () => [].values() : key === 'then' ? undefined : inert,
    set: () => true
});

/** The lowest ECMAScript level (5, or a year) at which a script can be read. Fails where none of the parser's will do. */
function levelOf(acorn, name, code) {
    const years = [ 5, ...Array.from({ length: LATEST - 2014 }, (_, i) => 2015 + i) ];
    const parses = level => {
        try {
            acorn.parse(code, { ecmaVersion: level, sourceType: 'script', allowHashBang: true });

            return true;
        } catch (error) {
            return error instanceof SyntaxError ? false : fail(`${name}: ${error.message}`);
        }
    };
    let low = 0, high = years.length - 1;

    parses(years[high]) || fail(`${name} cannot be parsed at any level of ECMAScript: ${complaint(acorn, code)}`);
    while (low < high) {
        const middle = Math.floor((low + high) / 2);

        parses(years[middle]) ? high = middle : low = middle + 1;
    }

    return years[low];
}

function complaint(acorn, code) {
    try {
        return acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'script' }) && 'only as the newest one';
    } catch (error) {
        return error.message;
    }
}

/** The names that a value offers: its own, and for a class those of its instances. Minifiers rename neither. */
function namesOf(value) {
    if (value === null || ![ 'object', 'function' ].includes(typeof value)) {
        return [];
    }
    const own = Object.getOwnPropertyNames(value).filter(name => !(typeof value === 'function' && [ 'length', 'name', 'prototype' ].includes(name)));
    const instances = typeof value === 'function' && value.prototype ? Object.getOwnPropertyNames(value.prototype) : [];

    return [ ...own, ...instances.filter(name => name !== 'constructor').map(name => `prototype.${name}`) ].sort();
}

/** Runs a script for itself, in what looks like a browser with `more` beside, and returns its global object. */
function load(file, more) {
    const timers = Object.fromEntries([ 'setTimeout', 'setInterval', 'clearTimeout', 'clearInterval' ].map(name => [ name, () => 0 ]));
    const silent = Object.fromEntries([ 'debug', 'error', 'info', 'log', 'trace', 'warn' ].map(name => [ name, () => undefined ]));
    const global = { ...timers, console: silent, ...more };

    NODE.forEach(name => {
        global[name] = globalThis[name];
    });
    BROWSER.forEach(name => {
        global[name] = inert;
    });
    global.self = global.window = global;
    vm.createContext(global);
    vm.runInContext(fs.readFileSync(file, 'utf8'), global, { filename: path.basename(file), timeout: PATIENCE });

    return global;
}

/** What a library exports to CommonJS, to an AMD loader, and as a global of its name: its names, or why there are none. */
function surfaces(file, library) {
    const module = { exports: {} };
    let defined;
    const define = Object.assign((...words) => {
        defined = words.at(-1)();
    }, { amd: {} });
    const attempt = look => {
        try {
            return namesOf(look());
        } catch (error) {
            return [ `error: ${error.message.split('\n')[0].slice(0, 200)}` ];
        }
    };

    return {
        commonjs: attempt(() => load(file, { module, exports: module.exports }) && module.exports),
        amd: attempt(() => load(file, { define }) && defined),
        global: attempt(() => load(file, {})[library])
    };
}

/** The comments that a bundler took out of a script for LICENSE.txt, each as one line without its marks. */
function licenceComments(text) {
    return [ ...text.matchAll(/\/\*[^]*?\*\/|^\/\/.*/gm) ]
        .map(([ comment ]) => comment.replace(/^\/\*+!?|\*+\/$|^\s*\*+(?!\/)|^\/\/!?/gm, ' ').replace(/\s+/g, ' ').trim())
        .filter(Boolean)
        .sort();
}

/** What upstream's configuration says of each of its bundles: file, library and its form, worklet or not, limits in bytes. */
function entriesOf(file) {
    return readStatically(file).configs.flatMap(({ entry, output, performance = {} }) => Object.keys(entry).map(name => ({
        name,
        file: (output.filename ?? '[name].js').replaceAll('[name]', name),
        library: output.library ?? null,
        target: output.library ? output.libraryTarget ?? 'var' : null,
        worklet: output.globalObject === 'AudioWorkletGlobalScope',
        limits: performance.hints ? { asset: performance.maxAssetSize ?? 250000, entrypoint: performance.maxEntrypointSize ?? 250000 } : null
    })));
}

runJob([ 'tools', 'out', 'config' ], [], job => {
    const acorn = createRequire(path.join(job.tools, 'package.json'))('acorn');
    const entries = entriesOf(path.join(job.root, job.config));
    const all = fs.readdirSync(job.out, { recursive: true }).sort();
    const read = name => fs.readFileSync(path.join(job.out, name), 'utf8');
    const scripts = all.filter(name => name.endsWith('.js'));

    return {
        entries,
        scripts: Object.fromEntries(scripts.map(name => [ name, {
            size: fs.statSync(path.join(job.out, name)).size,
            level: levelOf(acorn, name, read(name))
        } ])),
        licences: Object.fromEntries(all.filter(name => name.endsWith('.LICENSE.txt'))
            .map(name => [ name.slice(0, -'.LICENSE.txt'.length), licenceComments(read(name)) ])),
        libraries: Object.fromEntries(entries.filter(({ file, library }) => library && scripts.includes(file))
            .map(({ file, library }) => [ file, surfaces(path.join(job.out, file), library) ]))
    };
});
