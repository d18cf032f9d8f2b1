/*
 * hardener: upstream says here, where interfaceConfig.MOBILE_APP_PROMO is false, that there is no video on phones. There
 * is, in the browser.
 */
export { default } from './DeepLinkingMobilePage';
