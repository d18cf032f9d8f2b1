/*
 * Bundles a tree with Rspack, or with upstream's own webpack, by upstream's webpack configuration, and reports which files
 * and modules came out. See README.md for the job.
 */
const crypto = require('node:crypto');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const StableImportMeta = require('./import-meta.cjs');
const { emptyFolder, fail, readJson, runJob } = require('./job.cjs');
const { toRspack } = require('./rspack-config.cjs');
const { evaluate, readStatically } = require('./upstream-config.cjs');

/** { bundler, version, configs } for job.toolchain */
function toolchain(job, packageName) {
    const file = path.join(job.root, job.config);

    if (job.toolchain === 'rspack') {
        const bundler = Module.createRequire(path.join(job.tools, 'package.json'))('@rspack/core');
        const configs = readStatically(file).configs.map(config => toRspack(bundler, job.root, packageName, config));

        return { bundler, version: bundler.rspackVersion, configs };
    }
    job.toolchain === 'webpack' || fail(`toolchain ${job.toolchain}: say rspack or webpack`);
    const bundler = Module.createRequire(file)('webpack');
    const configs = evaluate(Module.createRequire(file)(file), file);

    return { bundler, version: bundler.version, configs: configs.map(withoutTypeCheck) };
}

/** Types are checked once, beside the build; ts-loader would do it again in each of the compilers. */
function withoutTypeCheck(config) {
    const rules = config.module.rules.map(rule => rule.loader === 'ts-loader'
        ? { ...rule, options: { ...rule.options, transpileOnly: true } } : rule);

    return { ...config, module: { ...config.module, rules } };
}

/** Leaves out the entries named in job.drop. Returns the rest, and what was named but is not there. */
function dropEntries(configs, drop) {
    const names = configs.flatMap(config => Object.keys(config.entry));
    const kept = configs
        .map(config => ({ ...config, entry: Object.fromEntries(Object.entries(config.entry).filter(([ n ]) => !drop.includes(n))) }))
        .filter(config => Object.keys(config.entry).length);

    kept.length || fail('job.drop leaves no entry to build');

    return { kept, unused: drop.filter(name => !names.includes(name)) };
}

/**
 * Our aliases before upstream's, as the first match wins. The meaning is webpack's: 'name$' matches that request alone,
 * 'name' also 'name/file', which becomes '<target>/file'. Below a target that is a single file nothing can be found, so
 * such a request stops the build with its name, unless it has an alias of its own. Longer keys come first for that reason.
 */
function withAliases(upstream = {}, ours) {
    const keys = Object.keys(ours).sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
    const rest = Object.entries(upstream).filter(([ key ]) => !keys.includes(key));

    return Object.fromEntries([ ...keys.map(key => [ key, ours[key] ]), ...rest ]);
}

function checkAliases(job, alias) {
    for (const [ name, target ] of Object.entries(alias)) {
        fs.existsSync(target) || fail(`job.alias ${name}: ${target} does not exist`);

        // The bundler's module ids are made from paths relative to the tree.
        path.relative(job.root, fs.realpathSync(target)).startsWith('..')
            && fail(`job.alias ${name}: ${target} is outside of ${job.root}, so that the bundle would depend on where it lies:`
                + ' lay it into the tree first');
    }
}

/** Everything that decides what comes out, besides the sources, which the cache looks at itself. */
function cacheVersion(job, version) {
    const { result, out, cache, ...rest } = job;
    const recipes = fs.readdirSync(__dirname).filter(f => /\.(cjs|mjs|json)$/.test(f)).sort().map(f => path.join(__dirname, f));
    const hash = crypto.createHash('sha256').update(JSON.stringify([ rest, version, process.version ]));

    recipes.forEach(file => hash.update(fs.readFileSync(file)));

    return hash.digest('hex').slice(0, 32);
}

/** Rspack's cache across runs. webpack, our reference, is always run without one. */
function cacheOptions(job, version, name) {
    if (job.toolchain === 'webpack' || !job.cache) {
        return { cache: false };
    }
    const dependencies = [ job.config, 'package.json', 'package-lock.json' ].map(file => path.join(job.root, file));

    return {
        cache: {
            type: 'persistent',
            name,
            version: cacheVersion(job, version),
            buildDependencies: dependencies.filter(file => fs.existsSync(file)),
            storage: { type: 'filesystem', directory: job.cache },

            // By default a package counts as unchanged while its version is the same. Ours may be patched or built here.
            snapshot: { managedPaths: [], immutablePaths: [] }
        }
    };
}

/** Makes the folder, the aliases, the definitions and the cache ours; the rest of a configuration is upstream's. */
function finish(job, { bundler, version, configs }, packageName) {
    const { alias = {}, define = {} } = job;

    return configs.map(config => {
        const name = Object.keys(config.entry).join('+');

        return {
            ...config,
            name,
            context: job.root,
            output: { ...config.output, path: job.out },
            resolve: { ...config.resolve, alias: withAliases(config.resolve?.alias, alias) },
            plugins: [
                ...config.plugins ?? [],
                ...Object.keys(define).length ? [ new bundler.DefinePlugin(define) ] : [],
                new StableImportMeta(job.root, packageName)
            ],
            ...cacheOptions(job, version, name)
        };
    });
}

/**
 * Several bundles import the same icons, and each compiler would have SVGR transform them anew: a quarter of the time of a
 * cold build. The loader stays where it is, as module ids are made from its path; only its work is remembered. It is loaded
 * with the first icon, while the bundler's own threads are already at work: it takes half a second.
 */
function transformIconsOnce(root) {
    const fromTree = Module.createRequire(path.join(root, 'package.json'));
    const results = new Map();
    let file, svgr;

    try {
        file = fromTree.resolve('@svgr/webpack');
    } catch {
        return; // a component without icons
    }

    function load() {
        delete require.cache[file];
        const original = fromTree(file);

        svgr = original.default ?? original;
        require.cache[file] = standIn;
    }

    function once(source) {
        const done = this.async();
        const key = JSON.stringify([ this.resource, this.getOptions(), String(source) ]);

        svgr || load();
        results.has(key) || results.set(key, new Promise((resolve, reject) => {
            const async = () => (error, result) => error ? reject(error) : resolve(result);

            svgr.call(Object.create(this, { async: { value: async } }), source);
        }));
        results.get(key).then(result => done(null, result), done);
    }

    const standIn = Object.assign(new Module(file), { filename: file, loaded: true, exports: Object.assign(once, { default: once }) });

    require.cache[file] = standIn;
}

function compile(bundler, configs) {
    return new Promise((resolve, reject) => {
        const compiler = bundler(configs);

        // Closing writes the cache.
        compiler.run((error, stats) => compiler.close(closing => error || closing ? reject(error ?? closing) : resolve(stats)));
    });
}

/** 'bundle: file: first line of the message' */
function finding(root, name, { message, moduleName, file }) {
    const colourless = message.replace(/\x1b\[[\d;]*m/g, ''); // eslint-disable-line no-control-regex
    const lines = colourless.split('\n').map(line => line.replace(/^[\s×│╰─▶⚠]+/, '').trim()).filter(Boolean);
    const where = file ?? moduleName?.split('!').at(-1);

    // webpack starts some messages with a line that only tells the phase.
    const text = lines.find(line => !/^Module \S+ failed( \(from .*\))?:?$/.test(line)) ?? 'unknown error';

    return [ name, where, text ].filter(Boolean).join(': ').replaceAll(`${root}/`, '');
}

/** The files behind the modules that are in a chunk, relative to the tree. A concatenated module counts as those inside. */
function moduleFiles(root, { chunks, chunkGraph }) {
    const files = new Set();
    const visit = module => {
        const file = module.nameForCondition?.();

        module.modules ? [ ...module.modules ].forEach(visit) : file && files.add(path.relative(root, file));
    };

    for (const chunk of chunks) {
        [ ...chunkGraph.getChunkModules(chunk) ].forEach(visit);
    }

    return [ ...files ].sort();
}

function report(root, stats) {
    const { compilation } = stats;
    const { warnings } = stats.toJson({ all: false, warnings: true });

    return {
        name: compilation.name,
        assets: compilation.getAssets()
            .map(({ name, source, info }) => ({ name, size: info.size ?? source.size() }))
            .sort((a, b) => a.name < b.name ? -1 : 1),
        modules: moduleFiles(root, compilation),
        warnings: warnings.map(warning => finding(root, undefined, warning)).sort()
    };
}

/** An alias that no bundle asked for is a sign of a renamed import: the original would be in the bundle. */
function unusedAliases(alias, all) {
    const read = new Set(all.flatMap(stats => [ ...stats.compilation.fileDependencies ]));
    const used = target => read.has(target) || [ ...read ].some(file => file.startsWith(`${target}${path.sep}`));

    return Object.keys(alias).filter(name => !used(fs.realpathSync(alias[name])));
}

runJob([ 'tools', 'out', 'toolchain', 'config' ], [ 'cache', 'alias', 'drop', 'define' ], async job => {
    const started = performance.now();
    const { alias = {}, drop = [] } = job;
    const { name: packageName } = readJson(path.join(job.root, 'package.json'));

    checkAliases(job, alias);
    emptyFolder(job.out);
    const tool = toolchain(job, packageName);
    const { kept, unused } = dropEntries(tool.configs, drop);
    job.toolchain === 'rspack' && transformIconsOnce(job.root);
    const { stats: all } = await compile(tool.bundler, finish(job, { ...tool, configs: kept }, packageName));
    const errors = all.flatMap(stats => stats.toJson({ all: false, errors: true }).errors
        .map(error => finding(job.root, stats.compilation.name, error)));

    errors.length && fail(`${job.toolchain} failed with ${errors.length} error(s) in ${job.root}`, errors);

    return {
        toolchain: job.toolchain,
        versions: { [job.toolchain]: tool.version, node: process.version },
        bundles: all.map(stats => report(job.root, stats)),
        unusedAliases: unusedAliases(alias, all),
        unusedDrops: unused,
        seconds: Math.round((performance.now() - started) / 100) / 10
    };
});
