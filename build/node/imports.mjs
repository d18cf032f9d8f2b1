/*
 * Which packages the web sources import, found out without any of them: esbuild walks upstream's own files from the
 * entries, and everything that is not one of them is written down.
 */
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

/**
 * Follows `entries` through the files of `root`.
 * Returns { packages: request -> first importing file, files: all source files, unresolved: 'file -> request' }.
 * With `types` also imports count that only TypeScript needs.
 */
export async function scanImports({ root, tools, entries, resolve, types }) {
    const esbuild = createRequire(path.join(tools, 'package.json'))('esbuild');
    const packages = new Map();
    const unresolved = [];
    const extensions = (resolve.extensions ?? [ '.js', '.json' ]).filter(Boolean);
    const walk = {
        name: 'walk',
        setup(build) {
            build.onResolve({ filter: /.*/ }, ({ path: request, importer, resolveDir, kind }) => {
                const from = path.relative(root, importer);

                if (kind !== 'entry-point' && !/^\.{0,2}\/|^\.{1,2}$/.test(request)) {
                    packages.has(request) || packages.set(request, from);

                    return { external: true };
                }
                const file = findFile(path.resolve(resolveDir, request.replace(/\?.*/, '')), extensions);

                // A file may be missing because the build writes it (lib-jitsi-meet's version.ts). If it is missing for
                // good, the bundler will say so.
                file || unresolved.push(`${from || 'entry'} -> ${request}`);

                return file && SOURCE.test(file) ? { path: file } : { external: true, path: file ?? request };
            });
        }
    };
    const { metafile } = await esbuild.build({
        absWorkingDir: root,
        entryPoints: entries,
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

    if (types) {
        // `import type`, `export type` and `import('x').T` vanish even then.
        for (const file of files.filter(name => /\.tsx?$/.test(name))) {
            const text = fs.readFileSync(path.join(root, file), 'utf8');

            for (const [ , request ] of text.matchAll(TYPE_IMPORT)) {
                packages.has(request) || packages.set(request, file);
            }
        }
    }

    return { packages, files, unresolved };
}
