/* global __dirname */

const { resolve } = require('path');
const webpack = require('webpack');

/** What all bundles share; `size` is the limit in bytes that a bundle must not pass. */
function getConfig(isProduction, size) {
    return {
        devtool: isProduction ? 'source-map' : 'eval-source-map',
        mode: isProduction ? 'production' : 'development',
        module: {
            rules: [ {
                loader: 'babel-loader',
                options: {
                    configFile: false,
                    presets: [ [ require.resolve('@babel/preset-env'), {
                        modules: false,
                        targets: { chrome: 80, firefox: 68, safari: 14 },
                        useBuiltIns: 'usage',
                        corejs: '3.40' // in step with package.json
                    } ] ]
                },
                test: /\.(j|t)sx?$/,
                exclude: /node_modules/
            }, {
                test: /\.css$/,
                use: [ 'style-loader', 'css-loader' ]
            }, {
                test: /\.tsx?$/,
                exclude: /node_modules/,
                loader: 'ts-loader',
                options: { configFile: 'tsconfig.web.json', transpileOnly: !isProduction }
            } ]
        },
        optimization: { concatenateModules: isProduction, minimize: isProduction },
        output: {
            filename: `[name]${isProduction ? '.min' : ''}.js`,
            chunkFilename: `chunks/[id]${isProduction ? '.min' : ''}.js`,
            path: `${__dirname}/build`,
            publicPath: isProduction ? 'auto' : '/libs/',
            sourceMapFilename: '[file].map'
        },
        performance: {
            hints: isProduction ? 'error' : false,
            maxAssetSize: size,
            maxEntrypointSize: size
        },
        plugins: [ new webpack.DefinePlugin({ '__DEV__': !isProduction }) ],
        resolve: {
            alias: { '@minimeet/crash-reporter': resolve(__dirname, 'vendor/crash-reporter.js') },
            extensions: [ '.ts', '.js', '.json' ]
        }
    };
}

module.exports = (_env, argv) => {
    const isProduction = (argv.mode ?? 'production') === 'production';
    const external = getConfig(isProduction, 32 * 1024);

    return [
        { ...getConfig(isProduction, 256 * 1024),
            entry: { 'app.bundle': './app.js' } },
        { ...external,
            entry: { 'external_api': './modules/API/external/index.js' },
            output: { ...external.output, library: 'MinimeetExternalAPI', libraryTarget: 'umd' } }
    ];
};
