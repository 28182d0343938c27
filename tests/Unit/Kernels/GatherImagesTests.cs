namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class GatherImagesTests : KernelTest
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void GatherImages_OfBytes_EqualsLibtorchsOperationsToTheBit(int threads)
    {
        Libtorch.UseThreads(threads);
        var pixels_NHWC = torch.randint(0, 256, [50, 5, 7, 3], ScalarType.Byte);
        var indices_N = torch.tensor([49L, 0, 7, 7, 23], [5]);

        var images_NCHW = Fused.GatherImages(pixels_NHWC, indices_N, 33.3184, 78.5675);

        Assert.Equal([5, 3, 5, 7], images_NCHW.shape);
        Assert.Equal(1, images_NCHW.stride(1));
        Assert.Equal(
            Read(pixels_NHWC.index_select(0, indices_N).to_type(ScalarType.Float32).sub(33.3184).div(78.5675).permute(0, 3, 1, 2)),
            Read(images_NCHW)
        );
        // libtorch gathers images that are not contiguous.
        var strided = Fused.GatherImages(pixels_NHWC.permute(0, 2, 1, 3), indices_N, 33.3184, 78.5675);
        Assert.Equal(Read(images_NCHW.permute(0, 1, 3, 2)), Read(strided));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(50)]
    public void GatherImages_OfNoImage_Throws(long index)
    {
        var error = Assert.ThrowsAny<Exception>(() =>
            Fused.GatherImages(torch.zeros([50, 5, 7, 3], ScalarType.Byte), torch.tensor([0L, index], [2]), 0, 1)
        );

        Assert.Matches("Index 1|out of (range|bounds)", error.Message);
    }
}
