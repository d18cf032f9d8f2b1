/*
 * Reads upstream's webpack.config.js without the packages that it requires: neither webpack nor its plugins have to be
 * installed. Each plugin that upstream makes becomes a record of its name and arguments.
 */
const fs = require('node:fs');
const { createRequire, isBuiltin } = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const { fail } = require('./job.cjs');

/** What stands in for `new webpack.DefinePlugin({...})`: kind is 'webpack.DefinePlugin'. */
class RecordedPlugin {
    constructor(kind, options) {
        this.kind = kind;
        this.options = options;
    }
}

/** Stands in for a package: its members may be picked and constructed when they are plugins, and nothing else. */
function standIn(name) {
    return new Proxy(class {}, {
        construct: (_, [ options ]) => new RecordedPlugin(name, options),
        get: (_, key) => /Plugin$/.test(String(key))
            ? standIn(`${name}.${key}`)
            : fail(`upstream's webpack configuration reads ${name}.${String(key)}: teach upstream-config.cjs about it`)
    });
}

/** Runs a CommonJS file. Node's own modules and files of the tree are real; packages are stand-ins, listed in `packages`. */
function runFile(file, packages) {
    const real = createRequire(file);
    const resolve = name => {
        isBuiltin(name) || name.startsWith('.') || packages.add(name);

        return name.startsWith('.') ? real.resolve(name) : name;
    };
    const require = name => {
        const target = resolve(name);

        if (isBuiltin(name)) {
            return real(name);
        }
        if (!name.startsWith('.')) {
            return standIn(name);
        }

        return target.endsWith('.json') ? real(target) : runFile(target, packages);
    };
    const module = { exports: {} };
    const parameters = [ 'exports', 'require', 'module', '__filename', '__dirname' ];
    const body = vm.compileFunction(fs.readFileSync(file, 'utf8'), parameters, { filename: file });

    require.resolve = resolve;
    body.call(module.exports, module.exports, require, module, file, path.dirname(file));

    return module.exports;
}

/** The configurations that an export stands for, as `webpack --mode production` would see them. */
function evaluate(exported, file) {
    const value = typeof exported === 'function' ? exported({}, { mode: 'production' }) : exported;
    const configs = [ value ].flat();

    for (const { entry } of configs) {
        // Every bundle is told, reported and left out by its entry's name, so there has to be one.
        entry?.constructor === Object && Object.keys(entry).length
            || fail(`${file}: an entry is not an object of names and files: teach upstream-config.cjs about it`);
    }

    return configs;
}

/** { configs, packages }: upstream's configurations, and the names of all packages that the file requires or resolves. */
function readStatically(file) {
    fs.existsSync(file) || fail(`${file} does not exist: name upstream's webpack configuration in job.config`);
    const packages = new Set();

    return { configs: evaluate(runFile(file, packages), file), packages };
}

module.exports = { RecordedPlugin, evaluate, readStatically };
