using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;
using Temper.Api.Access;
using Temper.Api.Http;
using Temper.Api.Jobs;
using Temper.Api.Keys;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store.Keys;

namespace Temper.Api.Documentation;

/// <summary>The API's description at /swagger/v1/swagger.json, and Swagger UI at /swagger.</summary>
internal static class OpenApi
{
    private const string KeyScheme = "key",
        SessionScheme = "session";

    /// <summary>Either is enough.</summary>
    private static readonly string[] Schemes = [KeyScheme, SessionScheme];

    public static void AddOpenApi(this IServiceCollection services)
    {
        services.AddEndpointsApiExplorer();
        services.AddSwaggerGen(swagger =>
        {
            swagger.SwaggerDoc(
                "v1",
                new()
                {
                    Title = "Temper",
                    Version = "v1",
                    Description =
                        "Trains image classifiers with label smoothing, and tells which ε to train with and whether the model is "
                        + "calibrated.",
                }
            );
            swagger.SupportNonNullableReferenceTypes();
            swagger.NonNullableReferenceTypesAsRequired();
            foreach (var assembly in new[] { typeof(OpenApi).Assembly, typeof(JobSpec).Assembly, typeof(KeySpec).Assembly })
                swagger.IncludeXmlComments(assembly);
            // Jobs come first, then studies, because users need them most.
            swagger.OrderActionsBy(action =>
                $"{(action.RelativePath!.StartsWith("jobs") ? 0 : action.RelativePath.StartsWith("studies") ? 1 : 2)} {action.RelativePath}"
            );
            swagger.CustomOperationIds(OperationId);
            swagger.MapType<ArmSettings>(() => new OpenApiSchema { Type = JsonSchemaType.Object, AdditionalPropertiesAllowed = true });
            swagger.SchemaFilter<SpecRules>();
            swagger.SchemaFilter<Examples>();
            swagger.SchemaFilter<NullableProperties>();
            swagger.OperationFilter<OperationTexts>();
            swagger.OperationFilter<TextAnswers>();
            swagger.OperationFilter<FileBodies>();
            swagger.OperationFilter<Access>();
            swagger.AddSecurityDefinition(
                KeyScheme,
                new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http,
                    Scheme = "bearer",
                    Description = "A key, or a token of the configured OpenID Connect issuer.",
                }
            );
            swagger.AddSecurityDefinition(
                SessionScheme,
                new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.ApiKey,
                    In = ParameterLocation.Cookie,
                    Name = SessionCookie.PlainName,
                    Description =
                        "The cookie that `POST /session` sets, for pages of this host. Over HTTPS its name begins with `__Host-`.",
                }
            );
        });
    }

    public static void UseOpenApi(this WebApplication app)
    {
        // Swagger and Swagger UI match patterns against each path that reaches them, so only /swagger does.
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments("/swagger"),
            swagger =>
            {
                swagger.Use(
                    (context, next) =>
                    {
                        context.AllowPage(PagePolicy.Swagger);
                        // Swashbuckle unpacks a file of 1.5 MB for each answer and keeps it until it is sent.
                        return app.Services.GetRequiredService<Overload>().LimitPagesAsync(context, next);
                    }
                );
                swagger.UseSwagger(options => options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1);
                swagger.UseSwaggerUI(ui =>
                {
                    ui.SwaggerEndpoint("/swagger/v1/swagger.json", "Temper v1");
                    ui.DocumentTitle = "Temper";
                });
            }
        );
    }

    private static string OperationId(ApiDescription operation) =>
        OperationIds.Of(operation.HttpMethod, operation.RelativePath!)
        ?? throw new InvalidOperationException($"{operation.HttpMethod} {operation.RelativePath} has no operation id.");

    /// <summary>Describes the allowed values of each field of a spec, from the rules that check a posted spec.</summary>
    private sealed class SpecRules : ISchemaFilter
    {
        public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
        {
            if (schema is not OpenApiSchema spec)
                return;
            // The defaults come from the records themselves.
            var job = new JobSpec
            {
                Dataset = "",
                Epsilon = 0,
                Epochs = 0,
            };
            if (context.Type == typeof(JobSpec))
            {
                Describe(spec, ["dataset", "epsilon", "epochs"], job, JobSpecRule.All.Select(rule => (rule.Field, rule.Allowed)));
                spec.Required!.Remove("epochs"); // a recipe has them
            }
            if (context.Type == typeof(StudySpec))
                Describe(spec, ["job"], new StudySpec { Job = job }, StudySpecRule.All.Select(rule => (rule.Field, rule.Allowed)));
            if (context.Type == typeof(StudyGrid))
                Describe(spec, [], new StudyGrid(), StudySpecRule.All.Select(rule => (rule.Field.Replace("grid.", ""), rule.Allowed)));
            if (context.Type == typeof(KeySpec))
            {
                var key = new KeySpec
                {
                    Name = "",
                    Tenant = "",
                    Scopes = [],
                };
                string[] required = ["name", "tenant", "scopes"];
                Describe(spec, [.. required], key, required.Append("expires").Select(field => (field, KeySpecReader.Allowed(field))));
            }
            if (context.Type == typeof(StudyExtension))
                Describe(spec, [], new StudyExtension(), StudySpecRule.All.Select(rule => (rule.Field, rule.Allowed)));
        }

        private static void Describe<T>(
            OpenApiSchema spec,
            HashSet<string> required,
            T byDefault,
            IEnumerable<(string Field, string Allowed)> rules
        )
        {
            spec.AdditionalPropertiesAllowed = false;
            var defaults = JsonSerializer.SerializeToNode(byDefault, Json.Options)!.AsObject();
            spec.Required = required;
            foreach (var (field, property) in spec.Properties!)
            {
                // An enum's property is a reference, which takes a description and a default of its own beside it.
                var allowed = string.Join("; ", rules.Where(rule => rule.Field == field).Select(rule => rule.Allowed));
                property.Description = $"{property.Description} Must be {allowed}.".Trim();
                if (required.Contains(field))
                    continue;
                if (field == "data" && property is OpenApiSchemaReference written)
                    written.ReadOnly = true; // forms need no field for it
                if (property is OpenApiSchema plain)
                    plain.Default = defaults[field]?.DeepClone();
                if (property is OpenApiSchemaReference reference)
                    reference.Default = defaults[field]?.DeepClone();
            }
            if (spec.Properties.TryGetValue("seeds", out var seeds))
                spec.Properties["seeds"] = new OpenApiSchema
                {
                    OneOf =
                    [
                        new OpenApiSchema { Type = JsonSchemaType.Integer },
                        new OpenApiSchema
                        {
                            Type = JsonSchemaType.Array,
                            Items = new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int64" },
                        },
                        new OpenApiSchema { Type = JsonSchemaType.Null },
                    ],
                    Description = seeds.Description,
                };
        }
    }

    /// <summary>
    /// Marks properties that may be null, because a bare reference would tell clients that they never are. A figure in an
    /// answer is null when it is not finite.
    /// </summary>
    private sealed class NullableProperties : ISchemaFilter
    {
        private static readonly Type[] Specs = [typeof(JobSpec), typeof(StudySpec), typeof(StudyExtension)];

        private readonly NullabilityInfoContext nullability = new();

        public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
        {
            if (schema.Properties is null)
                return;
            foreach (var property in context.Type.GetProperties())
            {
                var name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
                if (
                    schema.Properties.TryGetValue(name, out var shape)
                    && shape is OpenApiSchema { Type: JsonSchemaType.Number } figure
                    && !Specs.Contains(context.Type)
                )
                {
                    figure.Type = JsonSchemaType.Number | JsonSchemaType.Null;
                    figure.Description = $"{figure.Description} Null where it is not a finite number.".Trim();
                }
                if (shape is not OpenApiSchemaReference reference || !MayBeNull(property))
                    continue;
                schema.Properties[name] = new OpenApiSchema
                {
                    OneOf = [reference, new OpenApiSchema { Type = JsonSchemaType.Null }],
                    Description = reference.Description,
                    ReadOnly = reference.ReadOnly,
                };
            }
        }

        private bool MayBeNull(PropertyInfo property) =>
            Nullable.GetUnderlyingType(property.PropertyType) is not null
            || nullability.Create(property).ReadState == NullabilityState.Nullable;
    }

    /// <summary>
    /// Adds the scope that each operation needs, and the answers without it. The list beside a scheme names what a key must have, as
    /// OpenAPI 3.1 has it.
    /// </summary>
    private sealed class Access : IOperationFilter
    {
        public void Apply(OpenApiOperation operation, OperationFilterContext context)
        {
            const string otherSite = "A page of another site sent the request.";
            var isSafe = context.ApiDescription.HttpMethod is "GET" or "HEAD";
            if (ScopePolicies.ScopeOf(context.ApiDescription.ActionDescriptor.EndpointMetadata) is not { } scope)
            {
                operation.Security = [];
                if (!isSafe)
                    Add(StatusCodes.Status403Forbidden, otherSite);
                return;
            }
            operation.Security =
            [
                .. Schemes.Select(scheme => new OpenApiSecurityRequirement
                {
                    [new OpenApiSecuritySchemeReference(scheme, context.Document)] = [scope.Word()],
                }),
            ];
            operation.Description = $"{operation.Description} Scope: `{scope.Word()}`.".Trim();
            Add(StatusCodes.Status401Unauthorized, "The request has no valid key.");
            Add(StatusCodes.Status403Forbidden, $"The key lacks the scope {scope.Word()}.{(isSafe ? "" : $" Or: {otherSite}")}");
            Add(StatusCodes.Status429TooManyRequests, "Too many requests. Retry-After says when to try again.");

            void Add(int status, string description) =>
                operation.Responses!.TryAdd(
                    $"{status}",
                    new OpenApiResponse
                    {
                        Description = description,
                        Content = new Dictionary<string, IOpenApiMediaType>
                        {
                            ["application/problem+json"] = new OpenApiMediaType
                            {
                                Schema = context.SchemaGenerator.GenerateSchema(typeof(ProblemDetails), context.SchemaRepository),
                            },
                        },
                    }
                );
        }
    }

    /// <summary>
    /// Describes answers in text formats as strings. The framework gives a status one type for all its formats.
    /// </summary>
    private sealed class TextAnswers : IOperationFilter
    {
        public void Apply(OpenApiOperation operation, OperationFilterContext context)
        {
            foreach (var (format, content) in operation.Responses!.Values.SelectMany(response => response.Content?.ToArray() ?? []))
                if (content is OpenApiMediaType text && format.StartsWith("text/", StringComparison.Ordinal))
                    text.Schema = new OpenApiSchema { Type = JsonSchemaType.String };
        }
    }

    /// <summary>
    /// Describes the body of an operation that takes files. Metadata of the endpoint would do so too, but routing would then refuse
    /// other types by itself, with another answer.
    /// </summary>
    private sealed class FileBodies : IOperationFilter
    {
        private static OpenApiSchema File => new() { Type = JsonSchemaType.String, Format = "binary" };

        public void Apply(OpenApiOperation operation, OperationFilterContext context)
        {
            if (context.ApiDescription.ActionDescriptor.EndpointMetadata.OfType<FileRule>().SingleOrDefault() is not { } rule)
                return;
            operation.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Content = rule.Types.ToDictionary(
                    type => type,
                    IOpenApiMediaType (type) => new OpenApiMediaType { Schema = SchemaOf(type) }
                ),
            };

            IOpenApiSchema SchemaOf(string type) =>
                type == FileRule.Form ? Form(rule)
                : type == FileRule.Json ? context.SchemaGenerator.GenerateSchema(rule.JsonBody!, context.SchemaRepository)
                : File;
        }

        private static OpenApiSchema Form(FileRule rule)
        {
            var (name, file) = rule.MostFiles == 1 ? ("file", File) : ("files", new() { Type = JsonSchemaType.Array, Items = File });
            var fields = rule.Fields.ToDictionary(field => field, IOpenApiSchema (_) => new OpenApiSchema { Type = JsonSchemaType.String });
            return new()
            {
                Type = JsonSchemaType.Object,
                Properties = new Dictionary<string, IOpenApiSchema>(fields) { [name] = file },
                Required = new HashSet<string> { name },
            };
        }
    }

    /// <summary>Adds examples. Most are made from the records themselves, so that they always match the schema.</summary>
    private sealed class Examples : ISchemaFilter
    {
        private static readonly JobSpec Spec = new()
        {
            Dataset = "mnist",
            Epsilon = 0.1,
            Epochs = 3,
        };

        private static readonly Guid Id = new("019a9e40-7c1d-7bb2-9d5e-2f6a1c3b4d5e");

        private static readonly DateTimeOffset Submitted = new(2026, 1, 15, 9, 30, 0, TimeSpan.Zero);

        private static readonly JobResponse Job = new(
            Id,
            ShownState.Running,
            null,
            false,
            Spec,
            SpecRevision: 1,
            TargetsResponse.Of(Spec),
            new(Epoch: 2, Epochs: 3, Step: 200, Steps: 422, ImagesPerSecond: 6900, SecondsLeft: 11.9),
            Attempt: 1,
            Failures: 0,
            Worker: "gpu-node-1:4242",
            Submitted,
            Submitted.AddMilliseconds(8),
            Submitted.AddMilliseconds(620),
            null,
            null,
            null,
            null,
            Pinned: false,
            JobLinks.Of(Id)
        );

        private static readonly EpochMetrics Epoch = new(1, 0.703, 0.936, 0.158, 0.983, 0.107, -0.107, 0.001, 8.1, 6870, 0.061);

        private static readonly Dictionary<Type, JsonNode> ByType = new()
        {
            [typeof(JobSpec)] = new JsonObject
            {
                ["dataset"] = "mnist",
                ["epsilon"] = 0.1,
                ["epochs"] = 3,
            },
            [typeof(StudySpec)] = new JsonObject
            {
                ["job"] = new JsonObject { ["dataset"] = "digits", ["epochs"] = 3 },
                ["criterion"] = "ece",
            },
            [typeof(StudyExtension)] = new JsonObject { ["seeds"] = 2 },
            [typeof(JobResponse)] = Node(Job),
            [typeof(JobPage)] = Node(new JobPage([Job], "41", null)),
            [typeof(MetricsResponse)] = Node(new MetricsResponse([Epoch])),
            [typeof(HttpValidationProblemDetails)] = Node(
                Problems.Invalid("The job spec is wrong.", new() { ["epsilon"] = ["must be a number from 0 to 1; got 1.5"] }).ProblemDetails
            ),
        };

        public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
        {
            if (schema is OpenApiSchema plain && ByType.TryGetValue(context.Type, out var example))
                plain.Examples = [example.DeepClone()];
        }

        private static JsonNode Node<T>(T value) => JsonSerializer.SerializeToNode(value, value!.GetType(), Json.Options)!;
    }
}
