/*
 * Bundlers turn `import.meta.url` into file://<folder of the build>/<module>: the bundle would tell where it was built and
 * differ from one folder to the next. This plugin replaces that folder, before source maps are made, so that they stay true.
 * One constant for all modules would not do: libraries compare the addresses of two modules to find out where they run.
 */
const { pathToFileURL } = require('node:url');

class StableImportMeta {
    constructor(root, name) {
        this.real = `${pathToFileURL(root).href}/`;
        this.stable = `file:///${name}/`;
    }

    apply(compiler) {
        const { Compilation, sources } = compiler.webpack;
        const stage = Compilation.PROCESS_ASSETS_STAGE_PRE_PROCESS;

        compiler.hooks.thisCompilation.tap('StableImportMeta', compilation => {
            compilation.hooks.processAssets.tap({ name: 'StableImportMeta', stage }, assets => {
                for (const file of Object.keys(assets).filter(f => /\.m?js$/.test(f))) {
                    const text = assets[file].source().toString();

                    text.includes(this.real)
                        && compilation.updateAsset(file, source => this.rebase(new sources.ReplaceSource(source), text));
                }
            });
        });
    }

    rebase(source, text) {
        for (let at = text.indexOf(this.real); at >= 0; at = text.indexOf(this.real, at + this.real.length)) {
            source.replace(at, at + this.real.length - 1, this.stable);
        }

        return source;
    }
}

module.exports = StableImportMeta;
