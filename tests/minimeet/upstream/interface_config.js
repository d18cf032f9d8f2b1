/* What a site may change about the looks. It is put into index.html by the web server. */
var interfaceConfig = {
    APP_NAME: 'minimeet',
    JOIN_SOUND: true
};
