using System.Reflection;
using Microsoft.AspNetCore.Mvc;

namespace Temper.Api.Http;

/// <summary>Adds the filters that all routes of the API share.</summary>
internal static class ApiGroup
{
    public static RouteGroupBuilder MapApi(this WebApplication app)
    {
        return app.MapGroup("")
            .AddEndpointFilter(app.Services.GetRequiredService<Overload>().LimitAsync)
            .AddEndpointFilter(app.Services.GetRequiredService<Reconnection>().FilterAsync)
            .AddEndpointFilterFactory(RefuseQueries)
            .AddEndpointFilter(app.Services.GetRequiredService<Ownership>().FilterAsync)
            .AddEndpointFilter(Reconnection.BeginAsync)
            .ProducesValidationProblem();
    }

    /// <summary>
    /// Refuses any query on a route without query parameters. The other routes report unknown parameters with their other errors.
    /// </summary>
    private static EndpointFilterDelegate RefuseQueries(EndpointFilterFactoryContext factory, EndpointFilterDelegate next)
    {
        if (factory.MethodInfo.GetParameters().Any(IsOfQuery))
            return next;
        return context =>
            Problems.UnknownParameters(context.HttpContext.Request) is { } wrong ? ValueTask.FromResult<object?>(wrong) : next(context);
    }

    private static bool IsOfQuery(ParameterInfo parameter) =>
        parameter.IsDefined(typeof(AsParametersAttribute))
        || (
            parameter.ParameterType == typeof(string)
            && !parameter.IsDefined(typeof(FromHeaderAttribute))
            && !parameter.IsDefined(typeof(FromRouteAttribute))
        );
}
