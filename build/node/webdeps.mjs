/*
 * Derives the packages that the web build needs from upstream's sources and lock file, before any of them is installed.
 * Writes a package.json and a package-lock.json with which `npm ci --ignore-scripts` installs upstream's exact tree,
 * less what only the mobile apps, the tests and the linters need.
 */
import fs from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';

import { packageName, scanImports } from './imports.mjs';
import { Lock } from './lock.mjs';

const require = createRequire(import.meta.url);
const { emptyFolder, fail, readJson, runJob } = require('./job.cjs');
const { readStatically } = require('./upstream-config.cjs');

/** What Rspack does itself. Other packages ask for these as peers only, and do not load them under Rspack. */
const REPLACED = [ 'babel-loader', 'circular-dependency-plugin', 'terser-webpack-plugin', 'ts-loader', 'typescript',
    'webpack', 'webpack-bundle-analyzer', 'webpack-cli', 'webpack-dev-server' ];

/** Files that take something out of node_modules at build or packaging time, besides the style sheets. */
const RECIPES = [ 'Makefile', 'debian/rules' ];

/** Lines of upstream's .npmrc that decide which packages npm installs. */
const NPMRC = /^\s*(legacy-peer-deps|omit|include|install-strategy|strict-peer-deps)\s*=/;

/** Types are asked for by shared files of the mobile apps, too. Their packages are large and partly not on the registry. */
const MOBILE = /^(@types\/)?@?react-native\b/;

const read = file => fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';

function styleSheets(root) {
    const folder = path.join(root, 'css');

    return fs.existsSync(folder)
        ? fs.readdirSync(folder, { recursive: true }).filter(f => f.endsWith('.scss')).map(f => path.join('css', f)) : [];
}

/** Packages that recipes and style sheets take files or commands from. */
function fromRecipes(root, lock, skip) {
    const names = new Set();

    for (const file of [ ...RECIPES, ...styleSheets(root) ]) {
        for (const [ , at ] of read(path.join(root, file)).matchAll(/node_modules[\\/]((?:@[\w.-]+\/)?[\w.-]+(?:[\\/][\w.-]+)?)/g)) {
            const bin = /^\.bin[\\/](.+)/.exec(at)?.[1];
            const name = bin ? lock.withBin(bin) : packageName(at);

            name || fail(`${file} runs node_modules/.bin/${bin}, which no package of the lock brings`);
            skip(name) || names.add(name);
        }
    }

    return names;
}

/** Packages that the configurations name: loaders, their presets, provided globals. */
function fromConfigs(configs, required, toolchain) {
    const names = new Set();

    for (const { module, plugins = [] } of configs) {
        for (const rule of module.rules) {
            for (const use of [ rule.loader ? rule : rule.use ?? [] ].flat()) {
                const { presets = [], plugins: babelPlugins = [] } = use.options ?? {};
                const named = [ ...presets, ...babelPlugins ].map(p => [ p ].flat());

                names.add(packageName(use.loader ?? use));
                named.some(([ , o ]) => o?.useBuiltIns) && names.add('core-js');
                toolchain === 'webpack' && named.forEach(([ name ]) => names.add(packageName(name)));
            }
        }
        for (const plugin of plugins.filter(p => p.kind === 'webpack.ProvidePlugin')) {
            Object.values(plugin.options).forEach(value => names.add(packageName([ value ].flat()[0])));
        }
    }
    toolchain === 'webpack' && required.forEach(name => names.add(packageName(name)));

    return names;
}

/** Is this import taken out by one of upstream's IgnorePlugins, wherever it stands? */
function ignored(request, configs) {
    return configs.flatMap(c => c.plugins ?? []).some(({ kind, options }) =>
        kind === 'webpack.IgnorePlugin' && !options.contextRegExp && options.resourceRegExp.test(request));
}

/** The package behind an import, seen through upstream's aliases; undefined when an alias leads to a file of the tree. */
function throughAlias(request, { alias = {} }, root) {
    const key = Object.keys(alias).find(k => request === k || request.startsWith(`${k}/`));
    const target = key ? alias[key] : request;
    const inTree = path.isAbsolute(target) ? path.relative(root, target) : undefined;

    return inTree === undefined || inTree.startsWith('node_modules/')
        ? packageName(inTree?.slice('node_modules/'.length) ?? target) : undefined;
}

/** All roots of a tree with a webpack configuration: a map of name to the reason why it is one. */
async function webRoots(job, lock, skip) {
    const { configs, packages: required } = readStatically(path.join(job.root, job.config));
    const roots = new Map();
    const mobile = new Set();
    const { resolve } = configs[0];
    const { packages, unresolved } = await scanImports({
        root: job.root,
        tools: job.tools,
        entries: configs.flatMap(c => Object.values(c.entry).flat()),
        resolve,
        types: job.types,
        cache: job.cache
    });

    for (const [ request, file ] of packages) {
        const name = ignored(request, configs) ? undefined : throughAlias(request, resolve, job.root);

        // Modules of Node may have a substitute in the lock or none at all; a type check may only have the types.
        const elsewhere = name && !lock.has(name) && (isBuiltin(name) || job.types && lock.has(`@types/${name}`));

        if (name && !elsewhere && !/^[\w-]+:/.test(name)) {
            roots.set(name, `imported by ${file}`);
            job.types && MOBILE.test(name) && mobile.add(name);
        }
    }
    fromConfigs(configs, required, job.toolchain).forEach(name => roots.set(name, `named in ${job.config}`));
    fromRecipes(job.root, lock, skip).forEach(name => roots.set(name, 'used by a Makefile or a style sheet'));

    // Packages require('util') and the like without declaring them. The bundler takes the one that lies at the top.
    lock.topLevel().filter(name => isBuiltin(name)).forEach(name => roots.set(name, 'named like a module of Node'));
    if (job.types) {
        // All of them, declared or not: TypeScript takes in whatever lies there, @types/node for one.
        lock.topLevel().filter(name => name.startsWith('@types/')).forEach(name => roots.set(name, 'types'));
    }

    return { roots, unresolved, mobile: [ ...mobile ].sort() };
}

/** Upstream's patches for patch-package: which of them touch an installed package, and where it lies. */
function upstreamPatches(root, keys) {
    const folder = path.join(root, 'patches');
    const patches = fs.existsSync(folder) ? fs.readdirSync(folder).filter(f => f.endsWith('.patch')).sort() : [];

    return patches.map(file => {
        // '@scope+name+1.0.0.patch', or 'outer++inner+1.0.0.patch' for a nested package
        const at = file.replace(/\.patch$/, '').split('++')
            .map((part, i, all) => (i === all.length - 1 ? part.replace(/\+[^+]+$/, '') : part).replaceAll('+', '/'))
            .map(name => `node_modules/${name}`).join('/');

        return { file: `patches/${file}`, package: at, kept: keys.has(at) };
    });
}

runJob([ 'tools', 'out', 'toolchain', 'config' ], [ 'roots', 'provided', 'omit', 'substitutes', 'types', 'cache' ], async job => {
    const { root, roots: explicit = [], provided = [], omit = [] } = job;

    [ 'rspack', 'webpack' ].includes(job.toolchain) || fail(`toolchain ${job.toolchain}: say rspack or webpack`);
    emptyFolder(job.out);
    const upstream = readJson(path.join(root, 'package.json'));
    const left = new Set([ ...provided, ...omit, ...job.toolchain === 'rspack' && job.config ? REPLACED : [] ]);
    const skip = name => left.has(name) || Boolean(job.types) && MOBILE.test(name);
    const lock = new Lock(readJson(path.join(root, 'package-lock.json')), skip, job.substitutes);
    const found = job.config ? await webRoots(job, lock, skip) : { roots: new Map(), unresolved: [], mobile: [] };

    explicit.forEach(name => found.roots.set(name, 'named in job.roots'));
    const wanted = [ ...found.roots.keys() ].filter(name => !skip(name));
    const absent = wanted.filter(name => !lock.has(name));

    absent.length && fail('packages are needed that package-lock.json does not have at the top',
        absent.map(name => `${name}: ${found.roots.get(name)}`));
    const { keys, peers } = lock.close(wanted);

    // With legacy-peer-deps npm drops what only a peer dependency leads to, so these have to be roots as well.
    const roots = [ ...new Set([ ...wanted, ...peers ]) ].sort();
    const { manifest, lock: written } = lock.write(`${upstream.name}-web`, roots, keys, upstream.overrides);

    fs.writeFileSync(path.join(job.out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    fs.writeFileSync(path.join(job.out, 'package-lock.json'), `${JSON.stringify(written, null, 2)}\n`);

    return {
        roots,
        packages: keys.size,
        of: Object.keys(lock.packages).filter(key => key.includes('node_modules/')).length,
        omitted: omit,
        provided,
        phantoms: roots.filter(name => !(name in lock.direct)),
        npmrc: read(path.join(root, '.npmrc')).split('\n').filter(line => NPMRC.test(line)).map(line => line.trim()),
        patches: upstreamPatches(root, keys),
        unresolved: found.unresolved,
        typesWithoutPackage: found.mobile
    };
});
