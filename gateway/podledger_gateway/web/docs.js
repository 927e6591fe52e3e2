// Shows the API description. It only reads: no request can be sent from here, so no data is ever shown.
SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("api"),
  deepLinking: true,
  supportedSubmitMethods: [],
  validatorUrl: "none",
});
