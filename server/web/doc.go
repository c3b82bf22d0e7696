// Package web shows the server's views as pages that are readable without JavaScript.
//
// A page is a struct and a template file of the same name. It says what the command line says, in the
// same words; only the sign-in page and the style sheet are for people who are not signed in.
package web
