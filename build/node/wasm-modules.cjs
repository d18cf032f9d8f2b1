/*
 * The WebAssembly modules that a package makes while it runs, to learn what the browser can do: the SHA-256 of each,
 * for `hardener webcat`. Runs the package with a WebAssembly that only looks at what it is given.
 */
const { createHash } = require('node:crypto');
const { createRequire } = require('node:module');
const path = require('node:path');

const { runJob } = require('./job.cjs');

/** Reads all properties of a value, and of their values: a getter is where a package asks. */
function readAll(value) {
    for (const name of value && typeof value === 'object' ? Object.keys(value) : []) {
        readAll(value[name]);
    }
}

runJob([ 'tools', 'package' ], [], job => {
    const modules = new Set();
    const look = bytes => {
        const content = ArrayBuffer.isView(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.from(bytes);

        modules.add(createHash('sha256').update(content).digest('hex'));

        return true;
    };

    globalThis.WebAssembly = {
        ...Object.fromEntries(Object.getOwnPropertyNames(WebAssembly).map(name => [ name, WebAssembly[name] ])),
        Instance: class { exports = [ () => 0 ]; },
        Module: class {
            constructor(bytes) {
                look(bytes);
            }
        },
        validate: look
    };
    const found = createRequire(path.join(job.root, 'package.json'))(job.package);

    readAll(found);
    typeof found.support === 'function' && found.support();

    return { modules: [ ...modules ].sort() };
});
