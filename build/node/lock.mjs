/*
 * The subset of an npm lock file that some root packages need: entries are carried over verbatim (version, address and
 * integrity), only the list of roots is new.
 */
import { createRequire } from 'node:module';

const { fail } = createRequire(import.meta.url)('./job.cjs');

// The address of a package in an npm registry, whichever one serves it: .../NAME/-/FILE.tgz. A release tarball has none such.
const REGISTRY = /^https:\/\/[^/]+\/(?:@[^/]+\/)?[^/]+\/-\/[^/]+\.tgz$/;

export class Lock {
    /**
     * `skip(name)`: is this package not to be followed, as it is left out on purpose or put there by somebody else?
     * `substitutes`: entries that take the place of upstream's, by name; their address is an archive beside the lock.
     */
    constructor(lock, skip, substitutes = {}) {
        [ 2, 3 ].includes(lock.lockfileVersion)
            || fail(`package-lock.json has lockfileVersion ${lock.lockfileVersion}: only 2 and 3 are known`);
        this.packages = { ...lock.packages };
        this.substitutes = new Set(Object.keys(substitutes).map(name => `node_modules/${name}`));
        Object.entries(substitutes).forEach(([ name, entry ]) => {
            this.packages[`node_modules/${name}`] = entry;
        });
        this.root = lock.packages[''];
        this.direct = { ...this.root.devDependencies, ...this.root.optionalDependencies, ...this.root.dependencies };
        this.skip = skip;
    }

    /** All names that lie directly in node_modules, where any file of the tree finds them. */
    topLevel() {
        return Object.keys(this.packages)
            .filter(key => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(key))
            .map(key => key.slice('node_modules/'.length));
    }

    has(name) {
        return `node_modules/${name}` in this.packages;
    }

    /** The top-level package that brings the command `bin`. */
    withBin(bin) {
        return this.topLevel().find(name => bin in (this.packages[`node_modules/${name}`].bin ?? {}));
    }

    /** Where `name` is found from the package at `from`: Node's walk up the folders, done on the lock's keys. */
    find(name, from) {
        for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
            const key = folder ? `${folder}/node_modules/${name}` : `node_modules/${name}`;

            if (key in this.packages) {
                return key;
            }
            if (!folder) {
                return undefined;
            }
        }
    }

    /** The packages that one entry needs: [name, may be absent, by a peer dependency]. */
    needs(entry) {
        const list = (group, optional, peer) => Object.keys(entry[group] ?? {}).map(name => [ name, optional, peer ]);
        const optionalPeer = name => entry.peerDependenciesMeta?.[name]?.optional;

        // An optional peer counts only where upstream itself lists the package, as then it was there for upstream, too.
        return [
            ...list('dependencies', false, false).filter(([ name ]) => !(name in (entry.optionalDependencies ?? {}))),
            ...list('optionalDependencies', true, false),
            ...list('peerDependencies', true, true).filter(([ name ]) => !optionalPeer(name) || name in this.direct)
        ];
    }

    /** { keys, peers }: the lock keys that `roots` need, and the names of top-level packages that peer dependencies need. */
    close(roots) {
        const keys = new Set();
        const peers = new Set();
        const queue = roots.map(name => this.find(name, ''));

        while (queue.length) {
            const key = queue.pop();

            if (keys.has(key)) {
                continue;
            }
            const entry = this.packages[key];

            this.check(key, entry);
            keys.add(key);
            for (const [ name, optional, peer ] of this.needs(entry)) {
                const skipped = this.skip(name);
                const found = skipped ? undefined : this.find(name, key);

                found || optional || skipped || fail(`package-lock.json: ${key} needs ${name}, which the lock does not have`);
                found && queue.push(found);
                peer && found === `node_modules/${name}` && peers.add(name);
            }
        }

        return { keys, peers };
    }

    /** Only what the registry serves and a hash vouches for. */
    check(key, entry) {
        // A lock file may leave the address out: then npm asks the registry.
        const fromRegistry = (entry.resolved === undefined || REGISTRY.test(entry.resolved)) && entry.integrity;

        // What a package carries inside its own archive is covered by that archive's hash.
        fromRegistry || entry.inBundle || this.substitutes.has(key) || fail(`package-lock.json: ${key} comes from ${entry.resolved ?? 'nowhere'}`
            + `${entry.integrity ? '' : ' without integrity'}, not from the npm registry: build it and name it in job.provided,`
            + ' or leave it out with job.omit and an alias');
    }

    /** { manifest, lock }: package.json and package-lock.json for these roots and keys. */
    write(name, roots, keys, overrides) {
        const dependencies = {};

        for (const root of roots) {
            const entry = this.packages[`node_modules/${root}`];

            const wanted = entry.name ? `npm:${entry.name}@${entry.version}` : entry.version;

            dependencies[root] = this.substitutes.has(`node_modules/${root}`) ? entry.resolved : wanted;
        }
        const manifest = { name, version: '0.0.0', private: true, dependencies, ...overrides && { overrides } };
        const packages = { '': { name, version: '0.0.0', dependencies } };

        for (const key of Object.keys(this.packages).filter(k => keys.has(k))) {
            packages[key] = this.packages[key];
        }

        return { manifest, lock: { name, version: '0.0.0', lockfileVersion: 3, requires: true, packages } };
    }
}
