/*
 * hardener: no face detection and no expressions: upstream tells them to all participants, and to where the operator says.
 */
export {};
