// Shows the API description and lets a person try what only reads. Answers are drawn as text.
SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("api"),
  deepLinking: true,
  supportedSubmitMethods: ["get"],
  validatorUrl: "none",
});
