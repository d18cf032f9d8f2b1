/*
 * Turns upstream's webpack configuration into one for Rspack, so that upstream's changes flow through. Rspack ignores
 * options that it does not know, without a word. So whatever upstream may write is listed here, and the build stops with
 * the name of anything else: then this file has to learn what it means.
 */
const fs = require('node:fs');
const path = require('node:path');

const { fail, readJson, readJsonWithComments } = require('./job.cjs');

const KNOWN = {
    '': [ 'devServer', 'devtool', 'entry', 'mode', 'module', 'node', 'optimization', 'output', 'performance', 'plugins', 'resolve' ],
    module: [ 'rules' ],
    node: [ '__dirname', '__filename' ],
    optimization: [ 'concatenateModules', 'minimize' ],
    output: [ 'chunkFilename', 'filename', 'globalObject', 'library', 'libraryTarget', 'path', 'publicPath', 'sourceMapFilename' ],
    performance: [ 'hints', 'maxAssetSize', 'maxEntrypointSize' ],
    resolve: [ 'alias', 'aliasFields', 'extensions', 'fallback' ],
    rule: [ 'exclude', 'generator', 'include', 'loader', 'options', 'resourceQuery', 'test', 'type', 'use' ],
    babel: [ 'configFile', 'presets' ],
    env: [ 'corejs', 'modules', 'shippedProposals', 'targets', 'useBuiltIns' ],
    ts: [ 'configFile', 'transpileOnly' ]
};
const COMPILERS = [ 'babel-loader', 'ts-loader' ];
const LOADERS = [ '@svgr/webpack', 'css-loader', 'null-loader', 'style-loader' ];
const PRESETS = [ '@babel/preset-env', '@babel/preset-react', '@babel/preset-typescript' ];

function checkKeys(group, value = {}) {
    const unknown = Object.keys(value).filter(key => !KNOWN[group].includes(key));

    unknown.length && fail(`upstream's webpack configuration has the unknown ${group} option ${unknown.join(', ')}:`
        + ' teach rspack-config.cjs what to make of it');
}

/**
 * Does TypeScript's `field = value` define the property, and reset what a base class has set, or assign to it?
 * - preset-typescript (Babel 7) removes fields without a value and defines those with one. swc has no such mode. Assigning
 *   is the near one: it removes the former, too, and differs for the latter only where a base class has an accessor of that
 *   name, which TypeScript refuses (TS2610). It is also what upstream's tsc makes of the same files for a target before ES2022.
 * - ts-loader goes by the tsconfig: its own switch, otherwise define from ES2022 on.
 */
function definesFields(root, ts, presetTypescript) {
    if (!ts) {
        return presetTypescript?.allowDeclareFields ?? false;
    }
    const file = path.join(root, ts.options.configFile);
    const { target = 'es5', useDefineForClassFields } = readJsonWithComments(file).compilerOptions;

    return useDefineForClassFields ?? (/^esnext$/i.test(target) || Number(/^es(20\d\d)$/i.exec(target)?.[1]) >= 2022);
}

/** babel-loader, alone or after ts-loader -> swc: the same targets, the same polyfills, classic JSX. */
function swcRules(root, rules) {
    const [ babel, ts ] = COMPILERS.map(name => rules.filter(rule => rule.loader === name));

    babel.length === 1 && ts.length <= 1 || fail(`upstream has ${babel.length} babel-loader and ${ts.length} ts-loader rules:`
        + ' rspack-config.cjs knows one of each, or babel-loader alone');
    const presets = Object.fromEntries(babel[0].options.presets.map(p => [ p ].flat()).map(([ name, options ]) => [ name, options ?? {} ]));
    const env = presets['@babel/preset-env'] ?? fail('upstream does not use @babel/preset-env: whence the targets?');
    const unknown = Object.keys(presets).filter(name => !PRESETS.includes(name));

    unknown.length && fail(`upstream uses the unknown Babel preset ${unknown.join(', ')}: teach rspack-config.cjs about it`);
    Object.keys(presets['@babel/preset-react'] ?? {}).length && fail('upstream sets options of @babel/preset-react');
    checkKeys('babel', babel[0].options);
    checkKeys('env', env);
    checkKeys('ts', ts[0]?.options);

    const define = definesFields(root, ts[0], presets['@babel/preset-typescript']);
    const jsx = '@babel/preset-react' in presets;
    const matching = extension => [ ...babel, ...ts ].filter(rule => rule.test.test(`file.${extension}`));

    return [ 'js', 'jsx', 'ts', 'tsx' ].filter(extension => matching(extension).length).map(extension => {
        const script = extension.startsWith('ts');

        return {
            test: new RegExp(`\\.${extension}$`),
            exclude: matching(extension)[0].exclude,
            loader: 'builtin:swc-loader',
            options: {
                env: {
                    targets: Object.fromEntries(Object.entries(env.targets).map(([ name, version ]) => [ name, String(version) ])),

                    // Not shippedProposals: swc counts more proposals as shipped than Babel does, and their polyfills push
                    // external_api over upstream's own size limit. Without it the set of es.* polyfills is the same.
                    ...env.useBuiltIns && { mode: env.useBuiltIns, coreJs: env.corejs }
                },
                jsc: {
                    parser: script ? { syntax: 'typescript', tsx: extension === 'tsx' } : { syntax: 'ecmascript', jsx },
                    externalHelpers: false,
                    transform: { react: { runtime: 'classic' }, useDefineForClassFields: !script || define }
                }
            }
        };
    });
}

function moduleRules(root, rules) {
    const rest = rules.filter(rule => !COMPILERS.includes(rule.loader));
    const unknown = rest.flatMap(rule => rule.use ?? rule.loader ?? []).map(use => use.loader ?? use).filter(l => !LOADERS.includes(l));

    rules.forEach(rule => checkKeys('rule', rule));
    unknown.length && fail(`upstream uses the unknown loader ${unknown.join(', ')}: teach rspack-config.cjs about it`);

    const scripts = swcRules(root, rules);

    return [ ...scripts, ...rest.map(rule => iconRule(root, rule, scripts)) ];
}

/**
 * SVGR makes a component of an icon, and then has Babel translate it. That is left to swc, with what upstream wants of its own
 * components, for the time it takes. SVGR would also look for a configuration in every folder from the icon up to the root of
 * the file system: what lies above the tree would get into the bundle. Upstream has none; should it get one, the build stops.
 */
function iconRule(root, rule, scripts) {
    const isSvgr = use => use.loader === '@svgr/webpack';

    if (!rule.use?.some?.(isSvgr)) {
        return rule;
    }
    const jsx = scripts.find(({ test }) => test.test('icon.jsx')) ?? fail('upstream has icons, but no rule for JSX');
    const found = fs.readdirSync(root).find(name => /^(\.svgrrc|svgr\.config|svgo\.config)(\..*)?$/.test(name))
        ?? ('svgr' in readJson(path.join(root, 'package.json')) && 'package.json');

    found && fail(`upstream has a configuration of SVGR in ${found}: teach rspack-config.cjs about it`);

    return {
        ...rule,
        use: rule.use.flatMap(use => isSvgr(use)
            ? [ { loader: jsx.loader, options: jsx.options }, { ...use, options: { ...use.options, babel: false, runtimeConfig: false } } ]
            : [ use ])
    };
}

function plugin(rspack, { kind, options }) {
    const make = {
        'webpack.DefinePlugin': () => new rspack.DefinePlugin(options),
        'webpack.IgnorePlugin': () => new rspack.IgnorePlugin(options),
        'webpack.ProvidePlugin': () => new rspack.ProvidePlugin(options)
    }[kind] ?? fail(`upstream uses the unknown plugin ${kind}: teach rspack-config.cjs about it`);

    return make();
}

/** Rspack would say rspackChunk...; the name is visible to other scripts of the page, so it stays webpack's default. */
function chunkGlobal(name) {
    return `webpackChunk${name.replace(/[^a-zA-Z0-9$]+/g, '_')}`;
}

/**
 * An empty extension first in the list means: the name as it stands comes first. That is so without it, too; with it
 * Rspack finds no files in packages of ES modules.
 */
function extensions(list) {
    const rest = list?.[0] === '' ? list.slice(1) : list;

    return rest?.includes('') ? fail('upstream has an empty resolve.extensions entry that is not the first one') : rest;
}

/** In the name of a source map, [name] is the chunk's name for webpack, and the file's name for Rspack ('x.min.min.map'). */
function sourceMapName(template, entry) {
    const names = Object.keys(entry);

    template.includes('[name]') && names.length > 1
        && fail('upstream has several entries and [name] in output.sourceMapFilename: teach rspack-config.cjs about it');

    return template.replaceAll('[name]', names[0]);
}

/** One configuration of upstream's -> one for Rspack. `packageName` is the name in upstream's package.json. */
function toRspack(rspack, root, packageName, upstream) {
    const { devServer, ...config } = upstream;
    const { library, libraryTarget, ...output } = config.output;

    Object.keys(KNOWN).slice(0, 7).forEach(group => checkKeys(group, group ? upstream[group] : upstream));

    return {
        ...config,
        module: { rules: moduleRules(root, config.module.rules) },
        node: { __dirname: 'mock', __filename: 'mock', ...config.node }, // webpack's defaults; Rspack's would warn
        optimization: {
            ...config.optimization,

            // Rspack's default minimizer drops licence comments; this writes them into *.LICENSE.txt, as webpack does.
            minimizer: [ new rspack.SwcJsMinimizerRspackPlugin({ extractComments: true }) ]
        },
        output: {
            ...output,
            ...output.sourceMapFilename && { sourceMapFilename: sourceMapName(output.sourceMapFilename, config.entry) },
            chunkLoadingGlobal: chunkGlobal(library ?? packageName),

            // Rspack 2 ignores libraryTarget, and `require` of the result would give an empty object.
            ...library && { library: { name: library, type: libraryTarget ?? 'var' } }
        },
        plugins: (config.plugins ?? []).map(p => plugin(rspack, p)),
        ...config.resolve?.extensions && { resolve: { ...config.resolve, extensions: extensions(config.resolve.extensions) } }
    };
}

module.exports = { toRspack };
