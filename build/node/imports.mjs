/*
 * Which packages the web sources import, found out without any of them: esbuild walks upstream's own files from the
 * entries, and everything that is not one of them is written down.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** `import type ... from 'x'`, `export type ... from 'x'` and `import('x')`, where x is a package. */
const TYPE_IMPORT = /(?:^(?:im|ex)port\s+type\s[\w\s{},*]*\sfrom\s*|\bimport\()'((?:@[\w.-]+\/)?\w[\w./-]*)'/gm;
const SOURCE = /\.[cm]?[jt]sx?$|\.json$/;

/** '@scope/name/file' -> '@scope/name' */
export function packageName(request) {
    return request.split('/').slice(0, request.startsWith('@') ? 2 : 1).join('/');
}

/** The file that a relative request means: as it stands, with one of the extensions, or a folder's index. */
function findFile(file, extensions) {
    const names = [ file, ...extensions.map(e => file + e), ...extensions.map(e => path.join(file, `index${e}`)) ];

    return names.find(name => fs.statSync(name, { throwIfNoEntry: false })?.isFile());
}

const isPackage = request => !/^\.{0,2}\/|^\.{1,2}$/.test(request);

/** What identifies a file: its ending says how it is compiled. */
const keyOf = (file, content) => createHash('sha256').update(`${path.extname(file)}\0`).update(content).digest('hex');

/**
 * Lets esbuild read files (`entries`) and, unless `alone`, all that they import. Returns { imports, complete }: file -> requests, both
 * relative to `root`. Not complete: esbuild has found files by a pattern, which are not among the requests.
 */
async function compile({ root, tools, entries, types, locate, alone }) {
    const esbuild = createRequire(path.join(tools, 'package.json'))('esbuild');
    const requests = new Map();
    const located = new Set();
    const walk = {
        name: 'walk',
        setup(build) {
            build.onResolve({ filter: /.*/ }, ({ path: request, importer, resolveDir, kind }) => {
                const from = path.relative(root, importer);
                const isEntry = kind === 'entry-point';

                if (!isEntry) {
                    requests.has(from) || requests.set(from, []);
                    requests.get(from).push(request);
                }
                if (!isEntry && (alone || isPackage(request))) {
                    return { external: true, path: request };
                }
                const file = locate(request, resolveDir);

                file && located.add(path.relative(root, file));

                return file && SOURCE.test(file) ? { path: file } : { external: true, path: file ?? request };
            });
        }
    };
    const { metafile } = await esbuild.build({
        absWorkingDir: root,
        entryPoints: entries.map((file, index) => ({ in: file, out: String(index) })),
        bundle: true,
        write: false,
        metafile: true,
        outdir: root,
        format: 'esm',
        logLevel: 'silent',
        loader: { '.js': 'jsx' },

        // By default imports vanish of which only types are used. For a type check they are needed.
        tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: types, jsx: 'react' } },
        plugins: [ walk ]
    });
    const files = Object.keys(metafile.inputs);

    return {
        imports: new Map(files.map(file => [ file, requests.get(file) ?? [] ])),
        complete: files.every(file => located.has(file))
    };
}

/** What a file imports, with imports that only TypeScript needs: `import type`, `export type` and `import('x').T` vanish. */
function withTypes(root, [ file, requests ]) {
    const content = fs.readFileSync(path.join(root, file));
    const matches = /\.tsx?$/.test(file) ? content.toString('utf8').matchAll(TYPE_IMPORT) : [];

    return [ file, { key: keyOf(file, content), requests, types: [ ...matches ].map(([ , request ]) => request) } ];
}

/**
 * Follows `entries` by what is `known` of files (key -> facts), and compiles each other one alone. Returns file -> facts;
 * undefined where that is not enough.
 */
async function follow(options, known) {
    const { root, entries, locate } = options;
    const found = new Map();

    for (let files = entries.map(entry => locate(entry, root)); files.length;) {
        const facts = new Map(files.map(file => {
            const key = keyOf(file, fs.readFileSync(file));

            return [ path.relative(root, file), known[key] && { key, ...known[key] } ];
        }));
        const unknown = [ ...facts.keys() ].filter(file => !facts.get(file));

        if (unknown.length) {
            const { imports, complete } = await compile({ ...options, entries: unknown.map(file => path.join(root, file)), alone: true });

            if (!complete) {
                return undefined;
            }
            [ ...imports ].map(pair => withTypes(root, pair)).forEach(([ file, those ]) => facts.set(file, those));
        }
        const next = new Set();

        for (const [ file, { requests } ] of facts) {
            found.set(file, facts.get(file));
            requests.filter(request => !isPackage(request))
                .map(request => locate(request, path.dirname(path.join(root, file))))
                .filter(other => other && SOURCE.test(other)).forEach(other => next.add(other));
        }
        files = [ ...next ].filter(file => !found.has(path.relative(root, file)));
    }

    return found;
}

/** The results of the last run, by the content of each file. */
function readKnown(cache) {
    try {
        return JSON.parse(fs.readFileSync(cache, 'utf8'));
    } catch {
        return undefined;
    }
}

/**
 * Follows `entries` through the files of `root`.
 * Returns { packages: request -> first importing file, files: all source files, unresolved: 'file -> request' }.
 * With `types` also imports count that only TypeScript needs. `cache` is a file with what each source file imports: then only
 * files that are new or have changed are compiled. It holds for one set of options.
 */
export async function scanImports({ root, tools, entries, resolve, types, cache }) {
    const extensions = (resolve.extensions ?? [ '.js', '.json' ]).filter(Boolean);
    const places = new Map();
    const locate = (request, folder) => {
        const place = path.resolve(folder, request.replace(/\?.*/, ''));

        places.has(place) || places.set(place, findFile(place, extensions));

        return places.get(place);
    };
    const options = { root, tools, entries, types, locate };
    const known = cache && readKnown(cache);
    let found = known && entries.every(entry => locate(entry, root)) ? await follow(options, known) : undefined;
    let complete = Boolean(found);

    if (!found) {
        const compiled = await compile(options);

        found = new Map([ ...compiled.imports ].map(pair => withTypes(root, pair)));
        ({ complete } = compiled);
    }
    if (cache && complete) {
        const facts = [ ...found.values() ].map(({ key, ...rest }) => [ key, rest ]);

        fs.writeFileSync(`${cache}.new`, JSON.stringify(Object.fromEntries(facts)));
        fs.renameSync(`${cache}.new`, cache);
    }
    const packages = new Map();
    const unresolved = [];

    for (const [ file, facts ] of found) {
        for (const request of [ ...facts.requests, ...types ? facts.types : [] ]) {
            if (isPackage(request)) {
                packages.has(request) || packages.set(request, file);
            } else {
                // A file may be missing because the build writes it (lib-jitsi-meet's version.ts). If it is missing for good,
                // the bundler will say so.
                locate(request, path.dirname(path.join(root, file))) || unresolved.push(`${file} -> ${request}`);
            }
        }
    }

    return { packages, files: [ ...found.keys() ], unresolved };
}
