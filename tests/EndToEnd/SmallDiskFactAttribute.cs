namespace Temper.EndToEnd;

public sealed class SmallDiskFactAttribute : FactAttribute
{
    public SmallDiskFactAttribute()
    {
        if (!SmallDisk.IsPossible)
            Skip = "Only root can mount a small disk.";
    }
}
