module.exports = require('./external_api').default;
